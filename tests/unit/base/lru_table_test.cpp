// LruTable: what it keeps, what it forgets, and that its chains survive both.
#include "base/lru_table.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

struct Mixed {
  std::uint64_t operator()(std::uint64_t key) const { return mix_bits(key); }
};
struct AllAlike {
  std::uint64_t operator()(std::uint64_t) const { return 7; }
};

TEST(LruTableTest, ForgetsWhatWasNotUsedForLongest) {
  LruTable<std::uint64_t, int, Mixed> table{3};
  for (int key : {1, 2, 3})
    table.insert(static_cast<std::uint64_t>(key), key * 10);
  ASSERT_NE(table.find(1), nullptr); // 2 is now the oldest
  table.insert(4, 40);
  EXPECT_EQ(table.find(2), nullptr);
  EXPECT_EQ(*table.find(1), 10);
  EXPECT_EQ(*table.find(3), 30);
  EXPECT_EQ(*table.find(4), 40);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.forgotten(), 1U);
}

TEST(LruTableTest, FindsAllWhileItGrowsAndTurnsOver) {
  LruTable<std::uint64_t, std::uint64_t, Mixed> table{1000};
  for (std::uint64_t key = 0; key < 5000; ++key) {
    EXPECT_EQ(table.find(key), nullptr);
    table.insert(key, key * 3);
    for (std::uint64_t kept = key < 10 ? 0 : key - 9; kept <= key; ++kept)
      EXPECT_EQ(*table.find(kept), kept * 3);
  }
  EXPECT_EQ(table.forgotten(), 4000U);
}

TEST(LruTableTest, KeepsKeysApartThatHashAlike) {
  LruTable<std::uint64_t, std::uint64_t, AllAlike> table{40};
  for (std::uint64_t key = 0; key < 100; ++key)
    table.insert(key, key);
  for (std::uint64_t key = 0; key < 100; ++key) {
    auto *value = table.find(key);
    ASSERT_EQ(value != nullptr, key >= 60) << key;
    if (value != nullptr) {
      EXPECT_EQ(*value, key);
    }
  }
}

TEST(LruTableTest, HoldsOneEntry) {
  LruTable<std::uint64_t, int, Mixed> table{1};
  table.insert(1, 10);
  table.insert(2, 20);
  EXPECT_EQ(table.find(1), nullptr);
  EXPECT_EQ(*table.find(2), 20);
}

} // namespace
} // namespace mapscope
