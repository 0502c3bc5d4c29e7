// Recordings in memory for the tests of this folder.
#pragma once

#include <sys/mman.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "recording/recording_reader.h"
#include "recording/recording_writer.h"
#include "support/synthetic_run.h"

namespace mapscope {

class MemoryFile {
public:
  MemoryFile() : fd_(::memfd_create("recording", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {}

  // The same file, to be owned by somebody else.
  Fd duplicate() const { return Fd{::dup(fd_.get())}; }

  Bytes content() const {
    Bytes bytes(static_cast<std::size_t>(::lseek(fd_.get(), 0, SEEK_END)));
    EXPECT_EQ(::pread(fd_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

private:
  Fd fd_;
};

inline std::unique_ptr<RecordingWriter> writer_to(const MemoryFile &file) {
  return RecordingWriter::create(file.duplicate(), "x.rec").value();
}

// To a writer with this clock a second has passed whenever it looks.
inline RecordingWriter::Clock clock_of_seconds() {
  return [time_ns = std::uint64_t{0}]() mutable { return time_ns += 1'000'000'000; };
}

struct Recorded {
  Bytes file;
  std::vector<std::string> lines; // what was heard while it was recorded
};

inline Recorded record_synthetic_run(std::size_t record_bytes = 40, std::size_t record_count = 3) {
  MemoryFile file;
  auto writer = writer_to(file);
  RunLog log;
  BothObservers both{log, *writer};
  tell_synthetic_run(both, writer->listen(std::make_shared<SyntheticNames>()), record_bytes,
                     record_count);
  EXPECT_TRUE(writer->close());
  return {.file = file.content(), .lines = std::move(log.lines)};
}

// A run so short that each byte of its file can have a test, in five chunks: the start, three of
// two records each, and the end.
inline Recorded record_in_five_chunks() {
  MemoryFile file;
  auto writer = RecordingWriter::create(file.duplicate(), "x.rec", clock_of_seconds()).value();
  RunLog log;
  BothObservers both{log, *writer};
  both.start({.time_ns = 4'000});
  both.target_start(synthetic_target(0, writer->listen(std::make_shared<SyntheticNames>())));
  for (std::uint64_t time_ns = 5'000; time_ns < 8'000; time_ns += 1'000) {
    both.record(synthetic_record(40, time_ns));
    both.record(synthetic_record(40, time_ns + 1));
    both.drained();
  }
  both.target_end({.index = 0});
  both.end(synthetic_end());
  EXPECT_TRUE(writer->close());
  return {.file = file.content(), .lines = std::move(log.lines)};
}

struct Replayed {
  Result<ReplayEnd> end;
  std::vector<std::string> lines;

  std::string first_problem() const {
    return !end ? end.error().message() : end->problems.empty() ? "" : end->problems.front();
  }
};

inline Replayed replay_bytes(std::span<const std::byte> file, bool asks = true) {
  RunLog log;
  log.asks = asks;
  auto end = replay(ByteSource{file}, "x.rec", log);
  return {.end = std::move(end), .lines = std::move(log.lines)};
}

} // namespace mapscope
