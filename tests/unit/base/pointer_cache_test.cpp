// Values by address: made once, kept apart, bounded.
#include "base/pointer_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(PointerCacheTest, MakesAValueOnce) {
  PointerCache<int, std::string> cache{2};
  auto key = std::make_shared<const int>(1);
  int made = 0;
  for (int again = 0; again < 2; ++again)
    EXPECT_EQ(cache.get(key, [&] { return std::to_string(++made); }), "1");
}

TEST(PointerCacheTest, AnAddressDoesNotComeToMeanAnotherValue) {
  PointerCache<int, int> cache{1'000};
  for (int value = 0; value < 100; ++value) {
    auto key = std::make_shared<const int>(value); // the allocator would hand out one address
    EXPECT_EQ(cache.get(key, [&] { return value; }), value);
  }
}

TEST(PointerCacheTest, HoldsNoMoreThanItMay) {
  PointerCache<int, int> cache{3};
  for (int value = 0; value < 10; ++value) {
    EXPECT_EQ(cache.get(std::make_shared<const int>(value), [&] { return value; }), value);
    EXPECT_LE(cache.size(), 3u);
  }
}

} // namespace
} // namespace mapscope
