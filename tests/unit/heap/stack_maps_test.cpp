// Maps on stacks, against a program that keeps some there and knows where.
#include "heap/stack_maps.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/process_files.h"
#include "heap/anatomy.h"
#include "memory/live_process.h"
#include "support/census_program.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

struct TrueMap {
  std::uint64_t goroutine = 0, len = 0, slots = 0, bytes = 0;
  friend bool operator==(const TrueMap &, const TrueMap &) = default;
};

std::ostream &operator<<(std::ostream &stream, const TrueMap &map) {
  return stream << "goroutine " << map.goroutine << ", len " << map.len << ", slots " << map.slots
                << ", bytes " << map.bytes;
}

std::map<std::uint64_t, TrueMap> truth_of(const CensusProgram &program) {
  std::map<std::uint64_t, TrueMap> maps;
  for (const auto &[address, line] : program.noise) {
    auto number = [&](const std::string &field) {
      std::size_t start = line.find(field + "=") + field.size() + 1;
      std::uint64_t value = 0;
      std::from_chars(line.data() + start, line.data() + line.size(), value);
      return value;
    };
    maps[address] = {number("goroutine"), number("len"), number("slots"), number("bytes")};
  }
  return maps;
}

class StackMapsTest : public ::testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    path_ = built({"tests/fixtures/stack_maps", ".", "stack_maps-" + GetParam()}, GetParam(), "",
                  "-trimpath");
    if (!path_)
      GTEST_SKIP() << "Go " << GetParam() << " can't be had";
  }

  // The program is no PIE, so addresses in it are those in its file.
  static Result<StackMaps> find(CensusProgram &program, const StackLimits &limits = {}) {
    return find_stack_maps(program.memory(), program.anchors, program.facts,
                           {program.facts.all_goroutines.value}, limits);
  }

  const std::string &path() const { return *path_; }

private:
  std::optional<std::string> path_;
};

TEST_P(StackMapsTest, FindsEveryMapAndNothingElse) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  auto found = find(program);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->left_out_count, 0u);
  EXPECT_GE(found->searched_count, 11u);
  std::map<std::uint64_t, TrueMap> maps;
  for (const StackMap &map : found->maps) {
    EXPECT_TRUE(map.map.is_on_stack);
    EXPECT_EQ(map.map.bytes.header, 0u);
    maps[map.map.address.value] = {map.goroutine, map.map.len, map.map.slots,
                                   map.map.bytes.total()};
  }
  auto truth = truth_of(program);
  EXPECT_EQ(truth.size(), 60u);
  EXPECT_EQ(maps, truth);
}

TEST_P(StackMapsTest, FindsNoneWhereAllMapsAreOnTheHeap) {
  CensusProgram program(path(), {"-heap"});
  ASSERT_TRUE(program.is_ready());
  auto found = find(program);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_GE(found->searched_count, 11u);
  for (const StackMap &map : found->maps)
    ADD_FAILURE() << fmt::format("{:x} of goroutine {}, len {}", map.map.address.value,
                                 map.goroutine, map.map.len);
}

TEST_P(StackMapsTest, TakesThemApartAsItTakesOthers) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  for (const auto &[address, truth] : truth_of(program)) {
    auto anatomy = take_apart(program.memory(), program.anchors, program.facts, {address}, nullptr);
    ASSERT_TRUE(anatomy) << anatomy.error().message();
    EXPECT_TRUE(anatomy->map.is_on_stack);
    EXPECT_EQ(anatomy->map.len, truth.len);
    EXPECT_EQ(anatomy->map.slots, truth.slots);
    EXPECT_EQ(anatomy->map.bytes.total(), truth.bytes);
    ASSERT_FALSE(anatomy->objects.empty());
    EXPECT_TRUE(anatomy->objects.front().is_on_stack);
  }
}

TEST_P(StackMapsTest, TellsWhatOfThemIsInMemory) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  auto stat = read_process_stat(program.pid());
  ASSERT_TRUE(stat);
  auto memory = LiveProcess::open({static_cast<std::uint32_t>(program.pid()), stat->start_time_ns});
  ASSERT_TRUE(memory) << memory.error().message();
  auto found = find_stack_maps(**memory, program.anchors, program.facts,
                               {program.facts.all_goroutines.value});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->maps.size(), 60u);
  for (const StackMap &map : found->maps) {
    std::uint64_t bytes = map.map.bytes.total();
    EXPECT_LE(map.map.resident_bytes + map.map.swapped_bytes, bytes);
    EXPECT_GE(map.map.resident_bytes + map.map.swapped_bytes, bytes / 2);
  }
}

TEST_P(StackMapsTest, CountsStacksBeyondALimit) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  auto few = find(program, {.goroutines_max = 3});
  ASSERT_TRUE(few) << few.error().message();
  EXPECT_GE(few->left_out_count, 8u);
  auto short_ones = find(program, {.stack_bytes_max = 64});
  ASSERT_TRUE(short_ones) << short_ones.error().message();
  EXPECT_GE(short_ones->left_out_count, 10u);
}

INSTANTIATE_TEST_SUITE_P(Releases, StackMapsTest, ::testing::ValuesIn(kGoReleases),
                         [](const auto &parameter) {
                           std::string name = "Go" + parameter.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
