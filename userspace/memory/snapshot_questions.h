// What was asked of an executable while a snapshot was saved, and what it said: a snapshot has to
// answer the same on a machine without the executable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/byte_reader.h"
#include "base/error.h"
#include "flow/program_roots.h"
#include "flow/source.h"
#include "wire/roots_archive.h"

namespace mapscope {

class SnapshotWriter;

// Passes questions on, and writes the answers into a snapshot.
class SnapshotQuestions final : public Symbolizer, public RootSource {
public:
  // `writer` outlives it. Either may be null: then nothing is known.
  SnapshotQuestions(SnapshotWriter &writer, std::shared_ptr<Symbolizer> symbolizer,
                    std::shared_ptr<RootSource> roots)
      : writer_(writer), symbolizer_(std::move(symbolizer)), roots_(std::move(roots)) {}

  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override;
  Result<const ProgramRoots *> roots() override;

private:
  SnapshotWriter &writer_;
  std::shared_ptr<Symbolizer> symbolizer_;
  std::shared_ptr<RootSource> roots_;
  std::unordered_set<std::uint64_t> kept_; // addresses whose frames are written
  bool has_kept_roots_ = false;
};

// The answers of an open snapshot.
class SnapshotAnswers final : public Symbolizer, public RootSource {
public:
  // `path` is for messages.
  explicit SnapshotAnswers(std::string path) : path_(std::move(path)) {}

  // No frames where nobody asked.
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override;
  // Errors: unsupported, where nobody asked.
  Result<const ProgramRoots *> roots() override;

  // Bodies of items. Errors: malformed.
  Result<> take_roots(std::span<const std::byte> body, const RootPlaces &places);
  Result<> take_frames(ByteReader body);

private:
  std::string path_;
  std::optional<ProgramRoots> roots_;
  std::unordered_map<std::uint64_t, SourceFrames> frames_;
  std::size_t frame_count_ = 0;
};

// The body of an item: each address with its frames.
Bytes frames_to_bytes(std::span<const ElfAddress> addresses, std::span<const SourceFrames> answers);

} // namespace mapscope
