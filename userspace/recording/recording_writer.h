// Writes a run into a file as it happens: every call of a RunObserver, and every answer that
// somebody got about the executables.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/handle.h"
#include "flow/run_observer.h"
#include "recording/chunk_writer.h"
#include "recording/names.h"

namespace mapscope {

// Used from one thread. What happened is in the file after a second at most, counted in
// drained(); so a crash loses no more. A file that can't be written any more does not disturb the
// run.
class RecordingWriter final : public RunObserver {
public:
  using Clock = std::function<std::uint64_t()>; // ns, only ever compared with itself

  // An empty file, open for writing; `path` is for messages. Errors: as write(2).
  static Result<std::unique_ptr<RecordingWriter>> create(Fd file, std::string path,
                                                         Clock clock = monotonic_clock());
  ~RecordingWriter() override;
  RecordingWriter(const RecordingWriter &) = delete;
  RecordingWriter &operator=(const RecordingWriter &) = delete;

  // The same names, with every new answer kept. Who analyses the run has to ask these, and to be
  // called before the writer is: the answers go in front of the call in which they were asked
  // for, so that a replay has them when the same question comes.
  std::shared_ptr<BinaryNames> listen(std::shared_ptr<BinaryNames> names);

  const std::string &path() const { return path_; }
  // False: no run has begun, and there is nothing that could be replayed.
  bool has_begun() const { return has_begun_; }

  // Writes what is left. Errors: the first failure of all, and how much was not kept since.
  // Nothing is kept afterwards.
  Result<> close();

  void start(const RunStart &start) override;
  void target_start(const TargetStart &target) override;
  void record(std::span<const std::byte> record) override;
  void drained() override;
  void goroutines(const GoroutineSnapshot &snapshot) override;
  void remark(const Remark &remark) override;
  void target_end(const TargetEnd &end) override;
  void end(const RunEnd &end) override;

private:
  RecordingWriter(ChunkWriter chunks, std::string path, Clock clock);
  static Clock monotonic_clock();

  template <typename T> void add(ItemKind kind, const T &item);
  void add_bytes(ItemKind kind, std::span<const std::byte> body);
  void add_answers();
  std::uint64_t number_of(const std::shared_ptr<const BinaryFacts> &facts);
  std::uint64_t number_of(const std::shared_ptr<BinaryNames> &names);
  void flush();
  void note(Error problem);

  ChunkWriter chunks_;
  std::string path_;
  Clock clock_;
  std::shared_ptr<PendingAnswers> pending_ = std::make_shared<PendingAnswers>();
  // By what they listen to, which is alive as long as they are.
  std::map<const BinaryNames *, std::weak_ptr<ListenedNames>> listened_;
  std::uint64_t names_count_ = 0;
  std::map<Bytes, std::uint64_t> binaries_; // the facts as they were written -> number, from 1 on
  std::size_t binary_bytes_ = 0;
  std::uint64_t flushed_ns_ = 0;
  bool has_begun_ = false;
  bool is_closed_ = false;
  Result<> problem_; // the first thing that was not kept as it was
};

} // namespace mapscope
