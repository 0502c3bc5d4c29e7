// What a recording looks like: its header, its chunks and their limits. See docs/recordings.md,
// which has to say the same.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bpf/contract/events.h"
#include "wire/chunks.h"

namespace mapscope {

// The version is raised with every change of what is written, that of fields.h included. In a
// chunk, behind the items are the words of the records among them (record_coder.h).
inline constexpr FileKind kRecordingKind{
    .name = "recording",
    .magic = {0x89, 'M', 'A', 'P', 'S', '\r', '\n', 0x1a},
    .format_version = 1,
    .contents = "events",
    .content_version = EVENT_ABI_VERSION,
};

// One call of a RunObserver each, or what a later one refers to. An item is its kind, the length
// of its body as unsigned LEB128, and its body.
enum class ItemKind : std::uint8_t {
  start = 1,
  binary = 2, // facts of an executable
  target_start = 3,
  record = 4, // as it was
  names = 5,  // answers about an executable
  drained = 6,
  goroutines = 7,
  remark = 8,
  target_end = 9,
  end = 10,
  coded_record = 11, // as what differs from the last one of its kind, see record_coder.h
};

// A chunk is closed when it has so many plain bytes.
inline constexpr std::size_t kChunkBytes = 256 << 10;
static_assert(kItemBytesMax + 2 * kChunkBytes <= kChunkPlainMax);
// Over the whole file: what stays in memory while one is replayed.
inline constexpr std::size_t kBinaryBytesMax = 64 << 20; // of all `binary` items
inline constexpr std::size_t kAnswersMax = 1 << 20;      // of all `names` items

} // namespace mapscope
