// What a snapshot looks like. docs/snapshots.md has to say the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "flow/address_space.h"
#include "wire/archive.h"
#include "wire/chunks.h"

namespace mapscope {

// The version is raised with every change of what is written.
inline constexpr FileKind kSnapshotKind{
    .name = "snapshot",
    .magic = {0x89, 'M', 'A', 'P', 'M', '\r', '\n', 0x1a},
    .format_version = 2,
    .contents = "memory",
    .content_version = 1,
    .oldest_format_version = 1, // which had no roots and no frames
};

// An item is its kind, the length of its body as unsigned LEB128, and its body.
enum class SnapshotItem : std::uint8_t {
  process = 1,   // SnapshotProcess; the first item of all
  reads = 2,     // where the bytes belong that are behind the items of the chunk
  mappings = 3,  // all of them
  residency = 4, // one answer about pages
  end = 5,       // SnapshotTotals; the last item of all
  roots = 6,     // ProgramRoots, as wire/roots_archive.h has them
  frames = 7,    // addresses of code, each with the source frames that it stands for
};

struct SnapshotTotals {
  std::uint64_t item_count = 0; // the end not counted
  std::uint64_t byte_count = 0; // of memory
  friend bool operator==(const SnapshotTotals &, const SnapshotTotals &) = default;
};

// An answer to resident_pages.
struct ResidencyAnswer {
  std::uint64_t page_bytes = 0; // of the machine
  std::vector<ProcessRange> ranges;
  std::vector<PageRun> runs;
};

// A chunk is closed when it has so many plain bytes.
inline constexpr std::size_t kSnapshotChunkBytes = 1 << 20;
// Of memory, what was read twice counted twice; and what an open snapshot takes.
inline constexpr std::uint64_t kSnapshotBytesMax = 4ULL << 30;
inline constexpr std::size_t kResidencyAnswersMax = 1 << 16;
inline constexpr std::size_t kResidencyRunsMax = 4 << 20; // of all answers

template <typename Archive> void exchange(Archive &archive, Like<ProcessRange> auto &range) {
  archive(range.start.value, range.size_bytes);
}

template <typename Archive> void exchange(Archive &archive, Like<PageRun> auto &run) {
  archive(run.range, run.is_swapped, run.is_huge, run.is_file);
}

template <typename Archive> void exchange(Archive &archive, Like<ResidencyAnswer> auto &answer) {
  archive(answer.page_bytes, answer.ranges, answer.runs);
}

template <typename Archive> void exchange(Archive &archive, Like<Mapping> auto &mapping) {
  archive(mapping.start.value, mapping.size_bytes, mapping.is_readable, mapping.is_writable,
          mapping.is_executable, mapping.file_offset, mapping.device, mapping.inode, mapping.name);
}

template <typename Archive> void exchange(Archive &archive, Like<SnapshotTotals> auto &totals) {
  archive(totals.item_count, totals.byte_count);
}

} // namespace mapscope
