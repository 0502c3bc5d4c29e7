// What a look at a process read of its memory, as a file: enough to look again on any machine, and
// nothing more. docs/snapshots.md tells the format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "memory/known_residency.h"
#include "memory/snapshot_format.h"
#include "memory/snapshot_questions.h"
#include "memory/sparse_memory.h"
#include "wire/byte_source.h"
#include "wire/chunk_file.h"

namespace mapscope {

// What else has to be known of the process.
struct SnapshotProcess {
  std::uint32_t pid = 0;
  std::string exe;
  LoadBias load_bias;
  std::uint64_t wall_time_ns = 0;           // when the snapshot was taken, since 1970
  std::shared_ptr<const BinaryFacts> facts; // never null but in a default one
};

// Passes reads on to another address space and writes what they brought. Its memory does not grow
// with what is read.
class SnapshotWriter final : public AddressSpace {
public:
  // `space` outlives it; `file` is empty. Errors: as write(2).
  static Result<std::unique_ptr<SnapshotWriter>> create(Fd file, AddressSpace &space,
                                                        const SnapshotProcess &process);
  // Everything is in the file only after this. Errors: system (the first failure to write, which
  // disturbs no read), unsupported (more was read than a snapshot holds).
  Result<> finish();

  // What the executable said; see SnapshotQuestions, which calls these.
  void keep_roots(const ProgramRoots &roots);
  void keep_frames(std::span<const ElfAddress> addresses, std::span<const SourceFrames> answers);

  Result<> read(std::span<MemoryRead> reads) override;
  Result<std::vector<Mapping>> mappings() override;
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override;

private:
  SnapshotWriter(ChunkFile file, AddressSpace &space);

  void keep(ProcessAddress address, std::span<const std::byte> bytes);
  void close_run();
  void close_reads();
  void add_item(SnapshotItem kind, std::span<const std::byte> body);
  void close_chunk();

  ChunkFile file_;
  AddressSpace &space_;
  Bytes items_, memory_;       // of the open chunk
  Bytes reads_;                // the body of the open `reads` item
  ProcessRange run_;           // what of `memory_` is not in `reads_` yet; empty: nothing
  std::uint64_t last_end_ = 0; // of the last run in `reads_`
  std::map<std::uint64_t, Bytes> clocks_; // their first answers, by address
  SnapshotTotals totals_;
  Result<> status_;
};

// The memory of a snapshot: of what was read several times, as it was the last time.
class Snapshot final : public AddressSpace {
public:
  // Errors: malformed (torn, damaged, absurd), unsupported (another version of the format, no
  // regular file).
  static Result<std::unique_ptr<Snapshot>> open(Fd file, std::string path);
  static Result<std::unique_ptr<Snapshot>> open(ByteSource file, std::string path);

  const SnapshotProcess &process() const { return process_; }
  // What its executable said when the snapshot was taken; lives as long as somebody holds it.
  const std::shared_ptr<SnapshotAnswers> &answers() const { return answers_; }

  // What nobody read when the snapshot was taken is not read; what nobody asked is unsupported.
  Result<> read(std::span<MemoryRead> reads) override;
  bool is_of_many_moments() const override { return true; }
  Result<std::vector<Mapping>> mappings() override;
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override;

private:
  explicit Snapshot(std::string path)
      : path_(std::move(path)), memory_(kSnapshotBytesMax),
        answers_(std::make_shared<SnapshotAnswers>(path_)) {}

  Result<> load(ByteSource file);
  Result<> take_chunk(std::span<const std::byte> items, std::span<const std::byte> memory);
  Result<> take_item(SnapshotItem kind, ByteReader body, ByteReader &memory);
  Result<> take_process(ByteReader body);
  Result<> take_reads(ByteReader body, ByteReader &memory);
  Result<> take_residency(ByteReader body);

  std::string path_;
  SnapshotProcess process_;
  SparseMemory memory_;
  std::optional<std::vector<Mapping>> mappings_; // absent: nobody asked
  KnownResidency residency_;
  std::shared_ptr<SnapshotAnswers> answers_;
  std::size_t residency_answers_ = 0, residency_runs_ = 0;
  SnapshotTotals totals_;
  bool has_process_ = false, has_ended_ = false;
};

} // namespace mapscope
