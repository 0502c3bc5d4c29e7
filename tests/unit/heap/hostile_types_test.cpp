// Descriptors that no compiler makes, and ranges that hold none.
#include <limits>

#include <gtest/gtest.h>

#include "heap/go_types.h"
#include "heap/key_hash.h"
#include "support/synthetic_types.h"

namespace mapscope {
namespace {

using testing::facts_with_maps;
using testing::FlatMemory;
using testing::SyntheticTypes;

GoTypes read_types(const SyntheticTypes &types, unsigned minor = 25) {
  FlatMemory memory{SyntheticTypes::kStart, types.bytes()};
  auto read =
      GoTypes::read(memory, memory.range(), facts_with_maps(MapImplementation::swiss, minor));
  EXPECT_TRUE(read);
  return *std::move(read);
}

std::uint64_t add_int64(SyntheticTypes &types) {
  return types.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
}

TEST(HostileTypesTest, TypesMadeByHandAreReadAsAnyOther) {
  const auto types = read_types(testing::synthetic_map_types()).map_types();
  ASSERT_EQ(types.size(), 6u);
  EXPECT_EQ(types[0].type.name, "map[string]int64");
  EXPECT_EQ(types[1].padding_bytes_per_slot(), 7u);
  EXPECT_EQ(types[5].element.name, "main.Entry");
  EXPECT_EQ(types[5].element.padding_bytes, 14u);
  ASSERT_EQ(types[5].element.fields.size(), 5u);
  EXPECT_EQ(types[5].element.fields[4].name, "Rate");
  EXPECT_EQ(read_types(testing::synthetic_map_types(SyntheticTypes::Shape::strides), 27)
                .map_types()
                .size(),
            6u);
}

TEST(HostileTypesTest, AStructInItselfHasNoSizeThatMakesSense) {
  SyntheticTypes types;
  SyntheticTypes::Type type{
      .kind = GoKind::structure, .size_bytes = 16, .pointer_bytes = 8, .name = "Loop"};
  const std::uint64_t address = SyntheticTypes{}.add_struct(type, {{"In", 0, 0}});
  ASSERT_EQ(types.add_struct(type, {{"In", address, 0}}), address);
  const GoTypes read = read_types(types);
  EXPECT_FALSE(read.type({address}));
  EXPECT_FALSE(read.leaves({address}));
  EXPECT_FALSE(read.pointer_words({address}));
  EXPECT_FALSE(compiled_hash(read.memory(), address));
  EXPECT_FALSE(runtime_hash(read.memory(), address));
}

// Each has two of the one before: 2^50 paths, all of size 0.
TEST(HostileTypesTest, TypesThatTakeForeverToWalkAreGivenUp) {
  for (unsigned minor : {25u, 27u}) {
    SyntheticTypes types;
    std::uint64_t last =
        types.add_struct({.kind = GoKind::structure, .alignment = 1, .name = "0"}, {});
    for (int i = 0; i < 50; ++i)
      last = types.add_struct({.kind = GoKind::structure, .alignment = 1, .name = "T"},
                              {{"A", last, 0}, {"B", last, 0}});
    const GoTypes read = read_types(types, minor);
    EXPECT_FALSE(read.type({last}));
    EXPECT_FALSE(compiled_hash(read.memory(), last));
    EXPECT_FALSE(runtime_hash(read.memory(), last));
    EXPECT_TRUE(read.leaves({last})); // nothing in it is a pointer, as its size says
  }
}

TEST(HostileTypesTest, AnArrayIsAsLargeAsItsElements) {
  SyntheticTypes types;
  const auto int64 = add_int64(types);
  const auto pointer = types.add(
      {.kind = GoKind::unsafe_pointer, .size_bytes = 8, .pointer_bytes = 8, .name = "Pointer"});
  constexpr std::uint64_t kMany = std::uint64_t{1} << 61;
  const auto wrapped =
      types.add_array({.kind = GoKind::array, .size_bytes = 0, .name = "a"}, int64, kMany);
  const auto shorter =
      types.add_array({.kind = GoKind::array, .size_bytes = 8, .name = "a"}, int64, 2);
  const auto long_one = types.add_array({.kind = GoKind::array,
                                         .size_bytes = std::uint64_t{8} << 40,
                                         .pointer_bytes = std::uint64_t{8} << 40,
                                         .name = "a"},
                                        pointer, std::uint64_t{1} << 40);
  const GoTypes read = read_types(types);
  EXPECT_FALSE(read.type({wrapped}));
  EXPECT_FALSE(read.type({shorter}));
  EXPECT_TRUE(read.type({long_one}));
  EXPECT_FALSE(read.leaves({long_one}));
  EXPECT_FALSE(read.pointer_words({long_one}));
  EXPECT_FALSE(compiled_hash(read.memory(), long_one));
}

TEST(HostileTypesTest, AFieldLiesInItsStructBehindTheOneBefore) {
  SyntheticTypes types;
  const auto int64 = add_int64(types);
  const SyntheticTypes::Type type{.kind = GoKind::structure, .size_bytes = 16, .name = "T"};
  const auto outside = types.add_struct(type, {{"A", int64, 0}, {"B", int64, 12}});
  const auto over = types.add_struct(type, {{"A", int64, 0}, {"B", int64, 4}});
  const auto far = types.add_struct(type, {{"A", int64, ~std::uint64_t{0} - 3}});
  const auto fine = types.add_struct(type, {{"A", int64, 0}, {"B", int64, 8}});
  const GoTypes read = read_types(types);
  EXPECT_FALSE(read.type({outside}));
  EXPECT_FALSE(read.type({over}));
  EXPECT_FALSE(read.type({far}));
  EXPECT_TRUE(read.type({fine}));
  const HashKeys keys{std::byte{1}};
  for (std::uint64_t bad : {outside, over, far}) // may be hashed, but never beyond the key
    if (const auto hash = KeyHash::of(read, {bad}, keys)) {
      EXPECT_TRUE(hash->hash(std::vector<std::byte>(16), 1));
    }
}

TEST(HostileTypesTest, AMapTypeWhosePartsContradictEachOtherIsNone) {
  const auto is_read = [](std::uint64_t slot, std::uint64_t in_slot, auto change) {
    SyntheticTypes types;
    const auto int64 = add_int64(types);
    const auto map = types.add_map("map[int64]int64", int64, int64, slot, in_slot);
    change(types, map);
    const GoTypes read = read_types(types);
    EXPECT_EQ(read.map_types().size(), read.map_type({map}) ? 1u : 0u);
    return read.map_type({map}).has_value();
  };
  const auto as_it_is = [](SyntheticTypes &, std::uint64_t) {};
  const auto with_word = [](std::uint64_t offset, std::uint64_t value) {
    return [=](SyntheticTypes &types, std::uint64_t map) { types.set(map + offset, value); };
  };
  EXPECT_TRUE(is_read(16, 8, as_it_is));
  EXPECT_FALSE(is_read(16, 4, as_it_is)) << "the element begins in the key";
  EXPECT_FALSE(is_read(16, 12, as_it_is)) << "the element ends behind the slot";
  EXPECT_FALSE(is_read(8, 8, as_it_is)) << "the slot is too small";
  EXPECT_FALSE(is_read(16, 8, with_word(80, 144))) << "the group has another size";
  EXPECT_FALSE(is_read(16, 8, with_word(88, 1 << 20))) << "slots leave the group";
  EXPECT_FALSE(is_read(16, 8, with_word(104, 4))) << "a small key is held by pointer";
  EXPECT_FALSE(is_read(16, 8, with_word(104, 64))) << "a flag that nobody knows";
  EXPECT_FALSE(is_read(16, 8, with_word(0, 16))) << "a map has the size of a pointer";
  for (std::uint64_t word : {std::uint64_t{0}, SyntheticTypes::kStart - 8, SyntheticTypes::kStart,
                             ~std::uint64_t{0}, ~std::uint64_t{0} - 40})
    for (std::uint64_t offset : {48, 56, 64})
      EXPECT_FALSE(is_read(16, 8, with_word(offset, word))) << "a part that is no type";
}

TEST(HostileTypesTest, ABucketIsAsLargeAsItsPartsAre) {
  const auto is_read = [](auto change) {
    SyntheticTypes types;
    const auto int64 = add_int64(types);
    const auto map =
        types.add_map("map[int64]int64", int64, int64, 16, 8, SyntheticTypes::Shape::buckets);
    change(types, map);
    FlatMemory memory{SyntheticTypes::kStart, types.bytes()};
    const auto read =
        GoTypes::read(memory, memory.range(), facts_with_maps(MapImplementation::classic, 23));
    return read && read->map_type({map});
  };
  EXPECT_TRUE(is_read([](SyntheticTypes &, std::uint64_t) {}));
  for (std::uint64_t offset : {80, 81, 82}) // of a key, of an element, of the bucket
    EXPECT_FALSE(is_read([=](SyntheticTypes &types, std::uint64_t map) {
      types.set<std::uint8_t>(map + offset, 16);
    }));
  EXPECT_FALSE(is_read([](SyntheticTypes &types, std::uint64_t map) {
    const auto small =
        types.add({.kind = GoKind::int32, .size_bytes = 4, .alignment = 4, .name = "int32"});
    types.set(map + TypeFields::kMapKey, small);
    types.set<std::uint8_t>(map + 80, 4); // but the bucket stays as it was
  }));
}

TEST(HostileTypesTest, AShapeIsToldFromAType) {
  SyntheticTypes types;
  const auto int64 = add_int64(types);
  types.add_map("map[go.shape.int64]int64", int64, int64, 16, 8);
  const auto read = read_types(types).map_types();
  ASSERT_EQ(read.size(), 1u);
  EXPECT_TRUE(read[0].is_shape);
}

TEST(HostileTypesTest, NamesArePrintableAndEnd) {
  SyntheticTypes types;
  const auto name = types.add({.kind = GoKind::int64, .size_bytes = 8, .name = "\033[2Jint64"});
  const auto last = types.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
  const std::uint64_t endless = types.end();
  types.put<std::uint8_t>(0);
  types.put<std::uint32_t>(0xffffffff);
  types.set(last + TypeFields::kName, static_cast<std::int32_t>(endless - SyntheticTypes::kStart));
  const GoTypes read = read_types(types);
  EXPECT_EQ(read.type({name})->name, "?[2Jint64");
  EXPECT_TRUE(read.type({last})->name.starts_with("type at 0x"));
}

TEST(HostileTypesTest, ARangeThatCannotBeReadIsAnError) {
  FlatMemory memory{SyntheticTypes::kStart, testing::synthetic_map_types().bytes()};
  const auto facts = facts_with_maps(MapImplementation::swiss, 25);
  const auto error_of = [&](ProcessRange range) {
    const auto types = GoTypes::read(memory, range, facts);
    return types ? std::nullopt : std::optional{types.error().code()};
  };
  EXPECT_FALSE(error_of(memory.range()));
  EXPECT_EQ(error_of({}), Errc::unsupported);
  EXPECT_EQ(error_of({{0}, std::uint64_t{1} << 40}), Errc::unsupported);
  EXPECT_EQ(error_of({{std::numeric_limits<std::uint64_t>::max()}, 4096}), Errc::unsupported);
  EXPECT_EQ(error_of({{0x7000}, 4096}), Errc::not_found);
}

TEST(HostileTypesTest, AProgramWithoutMapsHasNoMapTypes) {
  FlatMemory memory{SyntheticTypes::kStart, testing::synthetic_map_types().bytes()};
  const auto types =
      GoTypes::read(memory, memory.range(), facts_with_maps(MapImplementation::none, 25));
  ASSERT_TRUE(types);
  EXPECT_TRUE(types->map_types().empty());
}

} // namespace
} // namespace mapscope
