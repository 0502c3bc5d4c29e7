// What tophash bytes may be, and in which order.
#include "heap/classic_buckets.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

std::uint64_t tophash(const std::array<std::uint8_t, 8> &cells) {
  std::uint64_t word = 0;
  for (int i = 7; i >= 0; --i)
    word = word << 8 | cells[static_cast<std::size_t>(i)];
  return word;
}

TEST(ClassicBucketsTest, CountsTheLiveCells) {
  EXPECT_EQ(look_at_bucket(tophash({5, 255, 1, 9, 0, 0, 0, 0})).live_count, 3u);
  EXPECT_TRUE(look_at_bucket(tophash({5, 255, 1, 9, 0, 0, 0, 0})).is_valid);
  EXPECT_TRUE(look_at_bucket(0).is_valid);
}

TEST(ClassicBucketsTest, NothingFollowsTheEmptyRest) {
  EXPECT_FALSE(look_at_bucket(tophash({5, 0, 9, 0, 0, 0, 0, 0})).is_valid);
  EXPECT_FALSE(look_at_bucket(tophash({0, 0, 0, 0, 0, 0, 0, 5})).is_valid);
}

TEST(ClassicBucketsTest, ABucketIsEvacuatedWholeOrNotAtAll) {
  auto evacuated = look_at_bucket(tophash({4, 2, 3, 2, 4, 4, 4, 4}));
  EXPECT_TRUE(evacuated.is_evacuated);
  EXPECT_TRUE(evacuated.is_valid);
  EXPECT_EQ(evacuated.live_count, 0u);
  EXPECT_FALSE(look_at_bucket(tophash({4, 2, 3, 9, 4, 4, 4, 4})).is_valid);
  EXPECT_FALSE(look_at_bucket(tophash({9, 2, 0, 0, 0, 0, 0, 0})).is_valid);
}

// Two buckets of 40 bytes, the first full of what no tophash can be but its first word.
TEST(ClassicBucketsTest, AWrongSizeShowsInTheSecondBucket) {
  std::vector<std::uint64_t> words = {tophash({9, 0, 0, 0, 0, 0, 0, 0}), 77, 0x0200, 1, 0,
                                      tophash({7, 8, 0, 0, 0, 0, 0, 0}), 78, 79,     1, 0};
  auto bytes = std::as_bytes(std::span{words});
  BucketExpectation expected{.overflow_max = 0, .live_max = 3, .has_all = true};
  EXPECT_TRUE(read_as_buckets(bytes, 40, 2, expected));
  EXPECT_FALSE(read_as_buckets(bytes, 32, 2, expected));
  EXPECT_FALSE(read_as_buckets(bytes, 48, 2, expected)) << "only one bucket of 48 bytes fits";
  expected.live_max = 4;
  EXPECT_FALSE(read_as_buckets(bytes, 40, 2, expected)) << "an entry is missing";
  expected.has_all = false;
  EXPECT_TRUE(read_as_buckets(bytes, 40, 2, expected)) << "it may be in an old bucket";
}

} // namespace
} // namespace mapscope
