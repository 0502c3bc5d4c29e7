// Which paths are one pattern, and how a pattern reads.
#include "heap/owners/owner_patterns.h"

#include <gtest/gtest.h>

#include "heap/owners/field_names.h"
#include "support/synthetic_types.h"

namespace mapscope {
namespace {

using testing::FlatMemory;
using testing::SyntheticTypes;

// Types as a program with a cache of shards has them.
class OwnerPatternsTest : public ::testing::Test {
protected:
  std::uint64_t reference(GoKind kind, std::uint64_t element, std::string_view name) {
    const std::uint64_t type = types.add({.kind = kind,
                                          .size_bytes = kind == GoKind::slice ? 24u : 8u,
                                          .pointer_bytes = 8,
                                          .name = name});
    types.put(element);
    return type;
  }
  std::uint64_t structure(std::string_view name, std::uint64_t size_bytes,
                          const std::vector<SyntheticTypes::Field> &fields) {
    return types.add_struct({.kind = GoKind::structure,
                             .size_bytes = size_bytes,
                             .pointer_bytes = size_bytes,
                             .name = name},
                            fields);
  }
  std::uint64_t array(std::string_view name, std::uint64_t element, std::uint64_t size_bytes,
                      std::uint64_t length) {
    return types.add_array({.kind = GoKind::array,
                            .size_bytes = size_bytes,
                            .pointer_bytes = size_bytes,
                            .name = name},
                           element, length);
  }
  // A group of eight slots, as the compiler makes it.
  std::uint64_t group(std::uint64_t key, std::uint64_t key_bytes, std::uint64_t element,
                      std::uint64_t element_bytes) {
    const auto slot = structure("slot", key_bytes + element_bytes,
                                {{"key", key, 0}, {"elem", element, key_bytes}});
    const auto slots = array("slots", slot, 8 * (key_bytes + element_bytes), 8);
    return structure("noalg.struct {", 8 + 8 * (key_bytes + element_bytes),
                     {{"ctrl", int64, 0}, {"slots", slots, 8}});
  }

  const GoTypes &read() {
    FlatMemory memory{SyntheticTypes::kStart, types.bytes()};
    auto read = GoTypes::read(memory, memory.range(),
                              testing::facts_with_maps(MapImplementation::swiss, 26));
    EXPECT_TRUE(read);
    go_types = *std::move(read);
    return *go_types;
  }
  std::string path(std::uint32_t pattern) { return patterns.describe(pattern, read()).path; }
  std::string holder(std::uint32_t pattern) { return patterns.describe(pattern, read()).holder; }

  std::uint32_t field(std::uint32_t from, std::uint64_t holder, std::uint32_t offset,
                      std::uint64_t target) {
    return patterns.child(from, StepKind::field, holder, offset, target);
  }
  std::uint32_t variable(std::string_view name, std::uint64_t type) {
    return patterns.root({OwnerClass::variable, std::string{name}}, type);
  }

  SyntheticTypes types;
  std::optional<GoTypes> go_types;
  OwnerPatterns patterns;

  std::uint64_t int64 = types.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
  std::uint64_t string =
      types.add({.kind = GoKind::string, .size_bytes = 16, .pointer_bytes = 8, .name = "string"});
  std::uint64_t any = types.add_interface("interface {}", 0);
  std::uint64_t map = types.add_map("map[string]int64", string, int64, 24, 16);
  std::uint64_t shard = structure("main.shard", 16, {{"hits", int64, 0}, {"entries", map, 8}});
  std::uint64_t shards = reference(GoKind::slice, shard, "[]main.shard");
  std::uint64_t fixed = array("[4]main.shard", shard, 64, 4);
  std::uint64_t cache = structure(
      "main.Cache", 104, {{"name", string, 0}, {"shards", shards, 16}, {"fixed", fixed, 40}});
  std::uint64_t cache_pointer = reference(GoKind::pointer, cache, "*main.Cache");
};

TEST_F(OwnerPatternsTest, APathReadsAsThePeopleWhoWroteTheProgramWouldSayIt) {
  const auto store = variable("main.store", cache_pointer);
  const auto at_cache = field(store, cache_pointer, 0, cache);
  const auto at_shards = field(at_cache, cache, 16, shard);
  const auto entries = field(at_shards, shard, 8, map);
  EXPECT_EQ(path(store), "main.store");
  EXPECT_EQ(path(at_cache), "main.store → *Cache");
  EXPECT_EQ(path(entries), "main.store → *Cache.shards[].entries");
  EXPECT_EQ(holder(entries), "main.store.shards[].entries");
  EXPECT_EQ(patterns.describe_step(entries, read()), ".entries");
  EXPECT_EQ(patterns.describe(entries, read()).root, "main.store");
  EXPECT_EQ(patterns.root_class(entries), OwnerClass::variable);
  EXPECT_EQ(patterns.type(entries), map);
}

TEST_F(OwnerPatternsTest, AStepIsKeptOnce) {
  const auto store = variable("main.store", cache_pointer);
  EXPECT_EQ(variable("main.store", cache_pointer), store);
  EXPECT_NE(variable("main.other", cache_pointer), store);
  EXPECT_NE(patterns.root({OwnerClass::goroutine, "main.store"}, cache_pointer), store);
  const auto once = field(store, cache_pointer, 0, cache);
  EXPECT_EQ(field(store, cache_pointer, 0, cache), once);
  EXPECT_NE(field(once, cache, 16, shard), field(once, cache, 40, shard));
}

TEST_F(OwnerPatternsTest, ManyStepsAreFoundAgain) {
  const auto store = variable("main.store", cache_pointer);
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    numbers.push_back(field(store, cache, 8 * i, map));
  for (std::uint32_t i = 0; i < 10'000; ++i)
    ASSERT_EQ(field(store, cache, 8 * i, map), numbers[i]);
}

TEST_F(OwnerPatternsTest, ALinkedListIsOnePattern) {
  const auto node = structure("main.node", 16, {{"next", cache_pointer, 0}, {"m", map, 8}});
  const auto first = field(variable("main.head", 0), cache_pointer, 0, node);
  auto at = field(first, node, 0, node);
  const auto second = at;
  for (int i = 0; i < 1000; ++i)
    at = field(at, node, 0, node);
  EXPECT_EQ(at, second);
}

TEST_F(OwnerPatternsTest, ATreeOfManyTypesHasFewPatterns) {
  // Every type has a field of every other: each order of these would be a path.
  constexpr std::uint64_t kTypes = 30;
  std::vector<std::uint32_t> edge{variable("main.tree", 0)};
  for (int round = 0; round < 40; ++round) {
    std::vector<std::uint32_t> next;
    for (const std::uint32_t from : edge)
      for (std::uint64_t type = 1; type <= kTypes && next.size() < 20'000; ++type) {
        const std::uint64_t holder = patterns.type(from);
        next.push_back(field(from, holder, static_cast<std::uint32_t>(8 * type), 100 + type));
      }
    edge = std::move(next);
  }
  EXPECT_LT(patterns.size(), 900'000u);
}

TEST_F(OwnerPatternsTest, WhatAMapHoldsIsItsElementsOrItsKeys) {
  const auto pointers =
      types.add_map("map[*main.Cache]*main.Cache", cache_pointer, cache_pointer, 16, 8);
  const auto cells = group(cache_pointer, 8, cache_pointer, 8);
  const auto at_cells =
      patterns.child(variable("main.m", pointers), StepKind::entries, pointers, 0, cells);
  const auto element = field(at_cells, cells, 16, cache), key = field(at_cells, cells, 8, cache);
  EXPECT_EQ(path(element), "main.m[] → *Cache");
  EXPECT_EQ(path(key), "main.m[key] → *Cache");
  EXPECT_EQ(path(field(element, cache, 16, shard)), "main.m[] → *Cache.shards[]");
  EXPECT_EQ(holder(field(element, cache, 16, shard)), "main.m[].shards[]");
  EXPECT_EQ(holder(field(key, cache, 16, shard)), "main.Cache.shards[]");
  read();
  EXPECT_EQ(canonical_offset(*go_types, cells, 16 + 5 * 16), 16u);
}

TEST_F(OwnerPatternsTest, AnInterfaceIsNamedByWhatIsInIt) {
  const auto box = structure("main.box", 16, {{"v", any, 0}});
  const auto in_box =
      patterns.child(variable("main.b", box), StepKind::interface, box, 0, cache_pointer);
  EXPECT_EQ(path(in_box), "main.b.v(*Cache)");
  EXPECT_EQ(path(field(field(in_box, cache_pointer, 0, cache), cache, 16, shard)),
            "main.b.v(*Cache).shards[]");
  EXPECT_EQ(holder(field(field(in_box, cache_pointer, 0, cache), cache, 16, shard)),
            "main.b.v.(*main.Cache).shards[]");
}

TEST_F(OwnerPatternsTest, APointerInAnInterfaceIsSaidToBeOne) {
  const auto root = variable("main.b", any);
  const auto pointer =
      patterns.child(root, StepKind::interface, any, OwnerPatterns::kPointerInInterface, cache);
  const auto value = patterns.child(root, StepKind::interface, any, 0, cache);
  EXPECT_EQ(path(field(pointer, cache, 16, shard)), "main.b(*Cache).shards[]");
  EXPECT_EQ(path(field(value, cache, 16, shard)), "main.b(Cache).shards[]");
  EXPECT_EQ(path(patterns.child(root, StepKind::interface, any, 0, map)),
            "main.b(map[string]int64)");
}

TEST_F(OwnerPatternsTest, ASliceMayBeKnownByItsElementsAlone) {
  const auto root = patterns.root(
      {.root_class = OwnerClass::variable, .name = "main.shards", .is_slice = true}, 0);
  const auto element = field(root, 0, 0, shard);
  EXPECT_EQ(path(element), "main.shards[]");
  EXPECT_EQ(path(field(element, shard, 8, map)), "main.shards[].entries");
}

TEST_F(OwnerPatternsTest, AClosureIsNamedByItsFunctionAndWhatItCaptured) {
  const auto closure = structure("struct {", 16, {{"F", int64, 0}, {"entries", map, 8}});
  const auto function =
      types.add({.kind = GoKind::function, .size_bytes = 8, .pointer_bytes = 8, .name = "func()"});
  const auto root = variable("main.handler", function);
  const auto captured = patterns.child(root, StepKind::captured, 0x401000, 0, closure);
  EXPECT_EQ(patterns.unnamed_functions(), (std::vector<std::uint64_t>{0x401000}));
  patterns.name_function(0x401000, "main.newCache.func1");
  EXPECT_TRUE(patterns.unnamed_functions().empty());
  EXPECT_EQ(path(field(captured, closure, 8, map)), "main.handler → main.newCache.func1{entries}");
}

TEST_F(OwnerPatternsTest, WhatHasNoTypeIsAQuestionMark) {
  const auto root = variable("main.p", 0);
  const auto object = patterns.child(root, StepKind::word, 0, 0, 0);
  const auto in_object = patterns.child(object, StepKind::word, 0, 48, 0);
  EXPECT_EQ(path(patterns.child(root, StepKind::word, 0, 0, map)), "main.p");
  EXPECT_EQ(path(in_object), "main.p?");
  EXPECT_EQ(patterns.child(in_object, StepKind::word, 0, 8, 0), in_object);
  EXPECT_EQ(path(patterns.child(in_object, StepKind::word, 0, 8, cache)), "main.p? → *Cache");
  EXPECT_EQ(holder(in_object), "main.p");
}

TEST_F(OwnerPatternsTest, AChannelIsReceivedFrom) {
  const auto channel = reference(GoKind::channel, cache_pointer, "chan *main.Cache");
  const auto root = variable("main.queue", channel);
  const auto buffer =
      patterns.child(field(root, channel, 0, channel), StepKind::buffer, channel, 0, cache_pointer);
  EXPECT_EQ(path(field(field(buffer, cache_pointer, 0, cache), cache, 16, shard)),
            "main.queue<- → *Cache.shards[]");
}

TEST_F(OwnerPatternsTest, AFrameIsNamedByItsFunction) {
  const auto root = patterns.root({OwnerClass::goroutine, "github.com/a/b.(*Worker).run"}, 0);
  const auto direct = patterns.child(root, StepKind::word, 0, 0, map);
  EXPECT_EQ(path(direct), "b.(*Worker).run");
  EXPECT_EQ(patterns.describe(direct, read()).root, "github.com/a/b.(*Worker).run");
  EXPECT_EQ(patterns.describe(direct, read()).root_class, OwnerClass::goroutine);
  const auto typed = patterns.child(root, StepKind::word, 0, 0, cache);
  EXPECT_EQ(path(field(typed, cache, 16, shard)), "b.(*Worker).run → *main.Cache.shards[]");
  EXPECT_EQ(holder(field(typed, cache, 16, shard)), "main.Cache.shards[]");
}

TEST_F(OwnerPatternsTest, ElementsOfAnArrayAreOneField) {
  read();
  EXPECT_EQ(field_path(*go_types, cache, 40 + 3 * 16 + 8, true), ".fixed[3].entries");
  EXPECT_EQ(field_path(*go_types, cache, 40 + 3 * 16 + 8, false), ".fixed[].entries");
  EXPECT_EQ(canonical_offset(*go_types, cache, 40 + 3 * 16 + 8), 48u);
  EXPECT_EQ(canonical_offset(*go_types, cache, 104), 104u);
  EXPECT_EQ(field_path(*go_types, cache, 104, true), "");
}

TEST(NamesOfPackages, AreShortInTypeArgumentsToo) {
  EXPECT_EQ(with_short_packages("github.com/a/b.T[string,c.org/d/e.F]"), "b.T[string,e.F]");
  EXPECT_EQ(with_short_packages("map[a/b.K]*c/d.V"), "map[b.K]*d.V");
  EXPECT_EQ(with_short_packages("x/y.(*Z).run.func1"), "y.(*Z).run.func1");
  EXPECT_EQ(with_short_packages("main: variable at 0x10, used by a/b.f"),
            "main: variable at 0x10, used by b.f");
}

} // namespace
} // namespace mapscope
