// How Go's heap rounds what is asked of it: to a size class, or to whole pages.
//
// Go source: runtime/sizeclasses.go (until 1.24), internal/runtime/gc/sizeclasses.go (1.25 on);
// the table is the same in all of 1.17 to 1.27, which a test holds.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace mapscope {

// Bytes of an object of each class; class 0 stands for large objects.
inline constexpr std::array<std::uint16_t, 68> kSizeClasses = {
    0,     8,     16,    24,    32,    48,    64,    80,    96,    112,   128,   144,  160,   176,
    192,   208,   224,   240,   256,   288,   320,   352,   384,   416,   448,   480,  512,   576,
    640,   704,   768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304, 2688,  3072,
    3200,  3456,  4096,  4864,  5376,  6144,  6528,  6784,  6912,  8192,  9472,  9728, 10240, 10880,
    12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768};

inline constexpr std::uint64_t kGoPageBytes = 8192;       // runtime/malloc.go, pageSize
inline constexpr std::uint64_t kMallocHeaderBytes = 8;    // 1.22 on, in front of some objects
inline constexpr std::uint64_t kHeaderlessBytesMax = 512; // objects up to this have none
inline constexpr std::uint64_t kHeapBytesMax = std::uint64_t{1} << 48; // runtime.maxAlloc

// What one object of `size_bytes` takes of the heap, as runtime.mallocgc decides it. Objects
// with pointers above 512 bytes begin with a malloc header where the release has these (1.22
// on). Objects below 16 bytes without pointers share a block of 16; they count as their class.
// No object is larger than kHeapBytesMax.
constexpr std::uint64_t heap_bytes(std::uint64_t size_bytes, bool has_pointers,
                                   bool has_malloc_headers) {
  std::uint64_t small_max = kSizeClasses.back() - (has_malloc_headers ? kMallocHeaderBytes : 0);
  if (size_bytes > small_max)
    return (size_bytes + kGoPageBytes - 1) / kGoPageBytes * kGoPageBytes;
  if (has_malloc_headers && has_pointers && size_bytes > kHeaderlessBytesMax)
    size_bytes += kMallocHeaderBytes;
  return *std::ranges::lower_bound(kSizeClasses, size_bytes);
}

// The room that an object of that size can have without taking more: what runtime.roundupsize
// answers.
constexpr std::uint64_t rounded_up_bytes(std::uint64_t size_bytes, bool has_pointers,
                                         bool has_malloc_headers) {
  std::uint64_t small_max = kSizeClasses.back() - (has_malloc_headers ? kMallocHeaderBytes : 0);
  bool has_header = has_malloc_headers && has_pointers && size_bytes > kHeaderlessBytesMax &&
                    size_bytes <= small_max;
  return heap_bytes(size_bytes, has_pointers, has_malloc_headers) -
         (has_header ? kMallocHeaderBytes : 0);
}

} // namespace mapscope
