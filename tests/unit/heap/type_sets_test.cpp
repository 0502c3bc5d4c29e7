// Sets of types are kept once, and an answer is worked out once.
#include "heap/type_sets.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(TypeSetsTest, EqualSetsHaveOneNumber) {
  TypeSets sets;
  std::uint32_t set = sets.intern({1, 2, 3});
  EXPECT_NE(set, 0u);
  EXPECT_EQ(sets.intern({1, 2, 3}), set);
  EXPECT_EQ(sets.intern({}), 0u);
  EXPECT_EQ(sets.size(), 2u);
}

TEST(TypeSetsTest, AnAnswerIsWorkedOutOnce) {
  TypeSets sets;
  std::uint32_t set = sets.intern({1, 2, 3, 4});
  int asked = 0;
  auto is_even = [&](std::uint32_t type) { return ++asked, type % 2 == 0; };
  std::uint32_t even = sets.narrow(set, 7, is_even);
  EXPECT_EQ(sets.narrow(set, 7, is_even), even);
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(sets.all()[even], (std::vector<std::uint32_t>{2, 4}));
}

TEST(TypeSetsTest, ASetThatTooManyMakeStaysAsLargeAsItIs) {
  TypeSets sets;
  std::vector<std::uint32_t> types;
  for (std::uint32_t i = 0; i < 1'000; ++i)
    types.push_back(i);
  std::uint32_t all = sets.intern(types);
  std::uint32_t last = 0;
  for (std::uint64_t test = 0; test < 100'000; ++test)
    last = sets.narrow(all, test,
                       [&](std::uint32_t type) { return type != test % 1'000 || test > 999; });
  EXPECT_EQ(last, all);
  for (std::uint64_t test = 100'000; test < 102'000; ++test)
    last = sets.narrow(
        all, test, [&](std::uint32_t type) { return type != test % 1'000 && type != test % 997; });
  EXPECT_EQ(last, all); // a million types are kept, and no more
  EXPECT_LT(sets.size(), 3'000u);
}

} // namespace
} // namespace mapscope
