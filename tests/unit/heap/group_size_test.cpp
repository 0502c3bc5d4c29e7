// The sizes that an array leaves possible, against the rounding that they invert.
#include "heap/group_size.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

HeapObject object_of(std::uint64_t bytes, bool has_pointers, bool has_malloc_headers) {
  std::uint64_t slot = heap_bytes(bytes, has_pointers, has_malloc_headers);
  bool is_large = bytes > kSizeClasses.back() - (has_malloc_headers ? kMallocHeaderBytes : 0);
  return {.size_bytes = slot,
          .has_pointers = has_pointers,
          .has_malloc_header =
              has_malloc_headers && has_pointers && !is_large && slot > kHeaderlessBytesMax};
}

TEST(GroupSizeTest, LeavesExactlyTheSizesThatTakeTheSameOfTheHeap) {
  for (bool has_headers : {false, true})
    for (bool has_pointers : {false, true})
      for (std::uint64_t count : {1, 2, 4, 8, 16, 17, 128, 136, 1088})
        for (std::uint32_t size = kGroupBytesMin; size <= kGroupBytesMax; size += 8) {
          auto array = object_of(size * count, has_pointers, has_headers);
          auto sizes = possible_group_sizes(array, count);
          ASSERT_LE(sizes.first, size) << count;
          ASSERT_GE(sizes.last, size) << count;
          // One step further on either side takes another amount.
          for (std::uint32_t other : {sizes.first - 8, sizes.last + 8}) {
            if (other < kGroupBytesMin || other > kGroupBytesMax)
              continue;
            auto slot = heap_bytes(other * count, has_pointers, has_headers);
            bool may_be_either = array.size_bytes > kSizeClasses.back() - kGoPageBytes;
            ASSERT_TRUE(slot != array.size_bytes || may_be_either)
                << size << " x " << count << ", " << other;
          }
        }
}

TEST(GroupSizeTest, LeavesNoneForObjectsThatAreTooSmallOrTooLarge) {
  EXPECT_TRUE(possible_group_sizes(object_of(8, false, true), 1).empty());
  EXPECT_TRUE(possible_group_sizes(object_of(4096, false, true), 1).empty());
  EXPECT_TRUE(possible_group_sizes(object_of(4096, false, true), 1024).empty());
  EXPECT_TRUE(possible_group_sizes(object_of(4096, false, true), 0).empty());
  EXPECT_FALSE(possible_group_sizes(object_of(4096, false, true), 16).empty());
}

} // namespace
} // namespace mapscope
