// Descriptors in the memory of real programs, against what these find out about themselves by
// reflect.
#include "heap/go_types.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "unit/heap/key_hash_program.h"

namespace mapscope {
namespace {

using testing::GoBuild;
using testing::KeyHashProgram;
using testing::SmallMap;
using testing::TrueField;
using testing::TrueMapType;

class GoTypesTest : public ::testing::TestWithParam<GoBuild> {
protected:
  void SetUp() override {
    program_ = KeyHashProgram::start(GetParam());
    if (!program_)
      GTEST_SKIP() << "Go " << GetParam().version << " can't be had";
    auto types = GoTypes::read(program_->memory, program_->type_range, program_->facts);
    ASSERT_TRUE(types) << types.error().message();
    types_ = *std::move(types);
  }

  bool is_in_executable(std::uint64_t type) const { return program_->type_range.contains({type}); }

  std::unique_ptr<KeyHashProgram> program_;
  std::optional<GoTypes> types_;
};

void expect_type(const TrueMapType &truth, const MapTypeLayout &layout) {
  EXPECT_EQ(layout.type.name, truth.name);
  EXPECT_EQ(layout.type.key_bytes, truth.key_bytes) << truth.name;
  EXPECT_EQ(layout.type.element_bytes, truth.element_bytes) << truth.name;
  EXPECT_EQ(layout.key.padding_bytes, truth.key_padding) << truth.name;
  EXPECT_EQ(layout.element.padding_bytes, truth.element_padding) << truth.name;
  EXPECT_EQ(layout.key.size_bytes, truth.key_bytes) << truth.name;
  EXPECT_EQ("map[" + layout.key.name + "]" + layout.element.name, truth.name);
  EXPECT_FALSE(layout.is_shape);
}

TEST_P(GoTypesTest, AScanOfTheTypesFindsEveryMapTypeOfTheProgram) {
  std::map<std::uint64_t, MapTypeLayout> found;
  for (auto &layout : types_->map_types())
    found.emplace(layout.descriptor.value, std::move(layout));
  std::size_t count = 0;
  for (const TrueMapType &truth : program_->types) {
    if (!is_in_executable(truth.map_type))
      continue;
    ASSERT_TRUE(found.contains(truth.map_type)) << truth.name;
    expect_type(truth, found.at(truth.map_type));
    ++count;
  }
  EXPECT_GT(count, 50u);
}

TEST_P(GoTypesTest, AKeyThatIsAStructHasItsFields) {
  std::size_t count = 0;
  for (const auto &[map_type, truth] : program_->fields) {
    if (!is_in_executable(map_type))
      continue;
    const auto layout = types_->map_type({map_type});
    ASSERT_TRUE(layout);
    ASSERT_EQ(layout->key.fields.size(), truth.size());
    for (std::size_t i = 0; i < truth.size(); ++i, ++count) {
      EXPECT_EQ(layout->key.fields[i].name, truth[i].name);
      EXPECT_EQ(layout->key.fields[i].type_name, truth[i].type_name);
      EXPECT_EQ(layout->key.fields[i].offset, truth[i].offset);
      EXPECT_EQ(layout->key.fields[i].size_bytes, truth[i].size_bytes);
    }
  }
  EXPECT_GT(count, 30u);
}

TEST_P(GoTypesTest, TheWordsWithPointersOfAGroupAreThoseOfItsOwnMask) {
  std::size_t count = 0;
  for (const auto &[group, mask] : program_->masks) {
    const auto words = types_->pointer_words({group});
    ASSERT_TRUE(words);
    std::string bits;
    for (bool is_pointer : *words)
      bits += is_pointer ? '1' : '0';
    bits.resize(mask.size()); // the mask ends with the last pointer
    EXPECT_EQ(bits, mask);
    EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(*words, true)),
              static_cast<std::size_t>(std::ranges::count(mask, '1')));
    ++count;
  }
  EXPECT_GT(count, 10u);
}

// The only group or bucket of a map with at most eight entries, whose address is the third word
// of a header of both kinds.
TEST_P(GoTypesTest, ElementsLieWhereTheTypeSaysInItsGroup) {
  std::size_t count = 0;
  for (const SmallMap &map : program_->maps) {
    const auto layout = types_->map_type({map.map_type});
    if (!layout || layout->element.name != "uint64" || map.len == 0)
      continue;
    const auto header = program_->read(map.header, 48);
    ASSERT_EQ(header.size(), 48u);
    const auto group = program_->read(load<std::uint64_t>(header, 16), layout->type.group_bytes);
    ASSERT_EQ(group.size(), layout->type.group_bytes) << layout->type.name;
    std::uint64_t full = 0;
    for (std::size_t slot = 0; slot < 8; ++slot) {
      const auto element =
          load<std::uint64_t>(group, layout->elements_offset + slot * layout->element_stride);
      full += element == 0xa5a5a5a5a5a5a5a5 ? 1 : 0;
    }
    EXPECT_EQ(full, map.len) << layout->type.name;
    ++count;
  }
  EXPECT_GT(count, 40u);
}

TEST_P(GoTypesTest, ATypeThatReflectMadeIsKnownOnceItIsLearned) {
  std::size_t count = 0;
  for (const TrueMapType &truth : program_->types) {
    if (is_in_executable(truth.map_type))
      continue;
    EXPECT_FALSE(types_->map_type({truth.map_type}));
    const auto is_learned = types_->learn(program_->memory, {truth.map_type});
    ASSERT_TRUE(is_learned) << is_learned.error().message();
    const auto layout = types_->map_type({truth.map_type});
    ASSERT_TRUE(layout) << truth.name;
    EXPECT_EQ(layout->type.key_bytes, truth.key_bytes);
    EXPECT_EQ(layout->type.element_bytes, truth.element_bytes);
    EXPECT_EQ(layout->key.padding_bytes, truth.key_padding);
    ++count;
  }
  EXPECT_GE(count, 4u);
}

TEST_P(GoTypesTest, WhatIsNoMapTypeIsNone) {
  std::set<std::uint64_t> known;
  for (const MapTypeLayout &layout : types_->map_types())
    known.insert(layout.descriptor.value);
  for (std::uint64_t offset = 0; offset < program_->type_range.size_bytes; ++offset)
    if (const ProcessAddress address{program_->type_range.start.value + offset};
        !known.contains(address.value)) {
      ASSERT_FALSE(types_->map_type(address)) << fmt::format("{:#x}", address.value);
    }
  EXPECT_FALSE(types_->map_type({0}));
  EXPECT_FALSE(types_->map_type({program_->type_range.end().value}));
  EXPECT_FALSE(types_->map_type({~std::uint64_t{0}}));
}

INSTANTIATE_TEST_SUITE_P(, GoTypesTest, ::testing::ValuesIn(testing::all_go_builds()),
                         [](const auto &build) { return build.param.name(); });

} // namespace
} // namespace mapscope
