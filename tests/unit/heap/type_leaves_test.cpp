// What a type refers to, with structs and arrays flattened.
#include "heap/type_leaves.h"

#include <gtest/gtest.h>

#include "heap/go_types.h"
#include "support/synthetic_types.h"

namespace mapscope {
namespace {

using testing::FlatMemory;
using testing::SyntheticTypes;

class TypeLeavesTest : public ::testing::Test {
protected:
  // A kind that refers to another type, which stands behind what all types have.
  std::uint64_t add_reference(GoKind kind, std::uint64_t size_bytes, std::uint64_t element) {
    const std::uint64_t type =
        types.add({.kind = kind, .size_bytes = size_bytes, .pointer_bytes = 8, .name = "T"});
    types.put(element);
    return type;
  }

  GoTypes read() const {
    FlatMemory memory{SyntheticTypes::kStart, types.bytes()};
    auto read = GoTypes::read(memory, memory.range(),
                              testing::facts_with_maps(MapImplementation::swiss, 25));
    EXPECT_TRUE(read);
    return *std::move(read);
  }

  SyntheticTypes types;
  std::uint64_t int64 = types.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
  std::uint64_t string =
      types.add({.kind = GoKind::string, .size_bytes = 16, .pointer_bytes = 8, .name = "string"});
};

TEST_F(TypeLeavesTest, EachKindSaysWhatItRefersTo) {
  const auto pointer = add_reference(GoKind::pointer, 8, int64);
  const auto slice = add_reference(GoKind::slice, 24, string);
  const auto channel = add_reference(GoKind::channel, 8, int64);
  const auto any = types.add_interface("any", 0), stringer = types.add_interface("Stringer", 1);
  const auto map = types.add_map("map[int64]int64", int64, int64, 16, 8);
  const auto all = types.add_struct(
      {.kind = GoKind::structure, .size_bytes = 104, .pointer_bytes = 96, .name = "All"},
      {{"P", pointer, 0},
       {"N", int64, 8},
       {"S", slice, 16},
       {"C", channel, 40},
       {"A", any, 48},
       {"I", stringer, 64},
       {"M", map, 80},
       {"T", string, 88}});
  const auto leaves = read().leaves({all});
  ASSERT_TRUE(leaves);
  EXPECT_EQ(*leaves, (std::vector<TypeLeaf>{
                         {.offset = 0, .kind = GoKind::pointer, .element = int64},
                         {.offset = 16, .kind = GoKind::slice, .element = string},
                         {.offset = 40, .kind = GoKind::channel, .element = int64},
                         {.offset = 48, .kind = GoKind::interface, .is_empty_interface = true},
                         {.offset = 64, .kind = GoKind::interface},
                         {.offset = 80, .kind = GoKind::map, .element = map},
                         {.offset = 88, .kind = GoKind::string}}));
  const auto words = read().pointer_words({all});
  ASSERT_TRUE(words);
  EXPECT_EQ(*words, (std::vector<bool>{true, false, true, false, false, true, false, true, false,
                                       true, true, true, false}));
}

TEST_F(TypeLeavesTest, ElementsOfAnArrayFollowEachOther) {
  const auto pair = types.add_struct(
      {.kind = GoKind::structure, .size_bytes = 24, .pointer_bytes = 16, .name = "Pair"},
      {{"N", int64, 0}, {"T", string, 8}});
  const auto array = types.add_array(
      {.kind = GoKind::array, .size_bytes = 72, .pointer_bytes = 64, .name = "[3]Pair"}, pair, 3);
  const GoTypes read = this->read();
  const auto leaves = read.leaves({array});
  ASSERT_TRUE(leaves);
  EXPECT_EQ(*leaves, (std::vector<TypeLeaf>{{.offset = 8, .kind = GoKind::string},
                                            {.offset = 32, .kind = GoKind::string},
                                            {.offset = 56, .kind = GoKind::string}}));
  EXPECT_FALSE(read.leaves({array}, 2)) << "more than were asked for";
}

TEST_F(TypeLeavesTest, APointerThatNoCollectorFollowsSaysSo) {
  const auto outside = types.add({.kind = GoKind::pointer, .size_bytes = 8, .name = "*notInHeap"});
  types.put(int64);
  const GoTypes read = this->read();
  const auto leaves = read.leaves({outside});
  ASSERT_TRUE(leaves && leaves->size() == 1);
  EXPECT_FALSE(leaves->front().has_pointers);
  EXPECT_EQ(read.pointer_words({outside}), std::vector<bool>{false});
}

TEST_F(TypeLeavesTest, AMaskThatTheDescriptorContradictsIsNone) {
  const auto type = types.add_struct(
      {.kind = GoKind::structure, .size_bytes = 24, .pointer_bytes = 24, .name = "T"},
      {{"N", int64, 0}, {"T", string, 8}});
  EXPECT_FALSE(read().pointer_words({type}));
}

} // namespace
} // namespace mapscope
