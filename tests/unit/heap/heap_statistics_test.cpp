// The counters of the heap against what programs print of themselves (tests/fixtures/
// heap_statistics): in every release and build mode, and in heaps that were tampered with.
#include "heap/heap_statistics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <map>
#include <random>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handle.h"
#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "heap/pacer.h"
#include "support/child_memory.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"
#include "unit/heap/fake_heap.h"

namespace mapscope {
namespace {

using Numbers = std::map<std::string, std::uint64_t>;

// A running fixture. It says what it counts when it is asked, and does nothing in between.
class CountingProgram {
public:
  // `environment` is "NAME=VALUE ...".
  CountingProgram(const std::string &path, const std::string &environment) : memory_(-1) {
    int input[2], output[2];
    if (::pipe(input) != 0 || ::pipe(output) != 0)
      std::abort();
    const std::string command = fmt::format("exec env {} {}", environment, path);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(input[0], 0);
      ::dup2(output[1], 1);
      for (int end : {input[0], input[1], output[0], output[1]})
        ::close(end);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = Fd{input[1]};
    output_ = Fd{output[0]};
    memory_ = testing::ChildMemory{pid_};
    read_line(); // printed once, so that printing has made all that it ever makes
  }
  ~CountingProgram() {
    input_.reset(); // the end of its input is its end
    ::waitpid(pid_, nullptr, 0);
  }
  CountingProgram(const CountingProgram &) = delete;
  CountingProgram &operator=(const CountingProgram &) = delete;

  Numbers ask() {
    EXPECT_EQ(::write(input_.get(), "\n", 1), 1);
    return read_line();
  }

  AddressSpace &memory() { return memory_; }

  LoadBias bias(const std::string &path, const ElfFile &elf) {
    const std::uint64_t lowest = elf.segments().front().range.start.value;
    const auto mappings = memory_.mappings();
    EXPECT_TRUE(mappings);
    for (const Mapping &mapping : *mappings)
      if (mapping.name == path && mapping.file_offset == 0)
        return {mapping.start.value - (lowest & ~std::uint64_t{4095})};
    return {};
  }

private:
  Numbers read_line() {
    std::string line;
    for (char byte = 0; ::read(output_.get(), &byte, 1) == 1 && byte != '\n';)
      line += byte;
    Numbers numbers;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (auto equals = word.find('='); equals != word.npos)
        numbers[word.substr(0, equals)] = std::stoull(word.substr(equals + 1));
    EXPECT_FALSE(numbers.empty()) << line;
    return numbers;
  }

  pid_t pid_ = -1;
  Fd input_, output_;
  testing::ChildMemory memory_;
};

struct Build {
  std::string version, mode;
};

class HeapStatisticsTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    const auto &[version, mode] = GetParam();
    const std::map<std::string, std::pair<std::string, std::string>> modes = {
        {"plain", {"", ""}},
        {"stripped", {"", "-ldflags='-s -w'"}},
        {"pie", {"", "-buildmode=pie"}},
        {"cgo", {"CGO_ENABLED=1", "-ldflags='-linkmode=external'"}},
    };
    const auto &[environment, arguments] = modes.at(mode);
    auto program = built({"tests/fixtures/heap_statistics", ".",
                          fmt::format("heap_statistics-{}-{}", version, mode)},
                         version, environment, arguments);
    if (!program)
      GTEST_SKIP() << "Go " << version << " can't be had, or no C compiler for it";
    path_ = *program;
    content_ = testing::file_bytes(path_);
    auto binary = GoBinary::open(content_, path_);
    ASSERT_TRUE(binary) << binary.error().message();
    auto facts = read_facts(*binary);
    ASSERT_TRUE(facts) << facts.error().message();
    facts_ = *std::move(facts);
  }

  // What a census does before it looks for maps.
  HeapStatistics read(CountingProgram &program) {
    const auto elf = ElfFile::parse(content_);
    const HeapAnchors anchors = HeapAnchors::of(facts_, program.bias(path_, *elf));
    const auto layout = HeapLayout::from(facts_);
    const auto root = find_heap(program.memory(), anchors, *layout);
    EXPECT_TRUE(root) << root.error().message();
    if (!root)
      return {};
    const auto spans = SpanTable::read(program.memory(), *root, *layout);
    EXPECT_TRUE(spans);
    if (!spans)
      return {};
    auto heap = read_heap_statistics(program.memory(), anchors, *root, facts_, *spans);
    EXPECT_TRUE(heap) << heap.error().message();
    return *heap;
  }

  std::string path_;
  std::vector<std::byte> content_;
  BinaryFacts facts_;
};

// The program counts before and after: a goroutine of the runtime gives memory back meanwhile.
void expect_between(std::optional<std::uint64_t> found, const Numbers &before, const Numbers &after,
                    const std::string &name) {
  ASSERT_TRUE(found) << name;
  EXPECT_GE(*found, std::min(before.at(name), after.at(name))) << name;
  EXPECT_LE(*found, std::max(before.at(name), after.at(name))) << name;
}

void expect_true(const HeapStatistics &heap, const Numbers &before, const Numbers &after) {
  expect_between(heap.allocated_bytes, before, after, "alloc");
  expect_between(heap.in_use_bytes, before, after, "in_use");
  expect_between(heap.idle_bytes, before, after, "idle");
  expect_between(heap.released_bytes, before, after, "released");
  expect_between(heap.gc_cycles, before, after, "cycles");
  expect_between(heap.objects_allocated, before, after, "mallocs");
  expect_between(heap.objects_freed, before, after, "frees");
}

TEST_P(HeapStatisticsTest, AreWhatTheProgramCountsItself) {
  CountingProgram program(path_, "");
  const Numbers before = program.ask();
  const HeapStatistics heap = read(program);
  const Numbers after = program.ask();
  expect_true(heap, before, after);
  expect_between(heap.goal_bytes, before, after, "goal");
  EXPECT_FALSE(heap.limit_bytes);
  // Nearly nothing was allocated since the last collection, which found all that is alive.
  ASSERT_TRUE(heap.live_bytes);
  EXPECT_LE(*heap.live_bytes, after.at("alloc") / 100 * 101);
  EXPECT_GE(*heap.live_bytes, after.at("alloc") / 100 * 95);
}

TEST_P(HeapStatisticsTest, CountTheObjectsOfEachSizeClass) {
  CountingProgram program(path_, "");
  const Numbers before = program.ask();
  const HeapStatistics heap = read(program);
  const Numbers after = program.ask();
  std::map<std::string, std::uint64_t> objects; // of both kinds
  std::uint64_t span_bytes = 0, object_bytes = 0, free_bytes = 0, tail_bytes = 0;
  for (const SizeClassUse &use : heap.size_classes) {
    objects[fmt::format("class_{}", use.object_bytes)] += use.object_count;
    span_bytes += use.span_bytes;
    free_bytes += use.free_bytes;
    tail_bytes += use.tail_bytes;
    if (use.object_bytes != 0)
      object_bytes += use.object_count * use.object_bytes;
    else
      object_bytes += use.span_bytes;
  }
  for (const auto &[name, count] : before)
    if (name.starts_with("class_") && name != "class_0") {
      EXPECT_GE(objects[name], std::min(count, after.at(name))) << name;
      EXPECT_LE(objects[name], std::max(count, after.at(name))) << name;
    }
  EXPECT_EQ(span_bytes, heap.in_use_bytes);
  EXPECT_EQ(object_bytes, heap.allocated_bytes);
  EXPECT_EQ(span_bytes, object_bytes + free_bytes + tail_bytes);
  EXPECT_GT(tail_bytes, 0u);
}

TEST_P(HeapStatisticsTest, KnowNoGoalWhereTheCollectorIsOff) {
  CountingProgram program(path_, "GOGC=off");
  const Numbers before = program.ask();
  const HeapStatistics heap = read(program);
  expect_true(heap, before, program.ask());
  EXPECT_FALSE(heap.goal_bytes);
}

TEST_P(HeapStatisticsTest, ALimitBelowTheGoalOfThePercentageWins) {
  if (facts_.version.minor < 19)
    GTEST_SKIP() << "there is no memory limit before Go 1.19";
  for (const char *environment :
       {"GOGC=off GOMEMLIMIT=300MiB", "GOMEMLIMIT=80MiB", "GOMEMLIMIT=1MiB", "GOMEMLIMIT=4GiB"}) {
    SCOPED_TRACE(environment);
    CountingProgram program(path_, environment);
    const Numbers before = program.ask();
    const HeapStatistics heap = read(program);
    const Numbers after = program.ask();
    // It depends on what the runtime has mapped for itself, which grows and shrinks meanwhile.
    const std::uint64_t slack = before.at("goal") / 1000;
    ASSERT_TRUE(heap.goal_bytes);
    EXPECT_GE(*heap.goal_bytes + slack, std::min(before.at("goal"), after.at("goal")));
    EXPECT_LE(*heap.goal_bytes, std::max(before.at("goal"), after.at("goal")) + slack);
    EXPECT_TRUE(heap.limit_bytes);
  }
}

// ---- A heap made by hand.

class MadeUpHeap : public testing::FakeHeap {
public:
  static constexpr std::uint64_t kPacer = 0x70000000, kStatistics = 0x71000000;

  MadeUpHeap() {
    memory.add(kPacer, size("runtime.gcControllerState"));
    memory.add(kStatistics, size("runtime.mstats"));
    anchors.gc_controller = {kPacer};
    anchors.statistics = {kStatistics};
    memory.put(kStatistics + offset("runtime.mstats.numgc"), kSweepgen / 2);
  }

  std::uint32_t size(std::string_view type) const { return offset(type); }
  std::uint32_t offset(std::string_view name) const { return facts.layout.find(name).value(); }

  HeapStatistics read() {
    const auto root = read_root(memory, kMheap, layout);
    EXPECT_TRUE(root) << root.error().message();
    const auto spans = SpanTable::read(memory, *root, layout);
    EXPECT_TRUE(spans);
    auto heap = read_heap_statistics(memory, anchors, *root, facts, *spans);
    EXPECT_TRUE(heap) << heap.error().message();
    return *heap;
  }
};

// allspans has to have eight entries for a root to be one.
class MadeUpHeapTest : public ::testing::Test {
protected:
  MadeUpHeapTest() {
    for (int i = 0; i < 10; ++i)
      heap_.add_span(16, true);
    pages(10);
  }
  void pages(std::uint64_t count) {
    heap_.memory.put(heap_.kMheap + heap_.offset("runtime.mheap.pagesInUse"), count);
    heap_.memory.put(heap_.kPacer + heap_.offset("runtime.gcControllerState.heapInUse"),
                     count * kGoPageBytes);
    heap_.memory.put(heap_.kStatistics + heap_.offset("runtime.mstats.heapStats") +
                         heap_.offset("runtime.heapStatsDelta.inHeap"),
                     count * kGoPageBytes);
  }

  MadeUpHeap heap_;
};

TEST_F(MadeUpHeapTest, WhatAgreesIsTold) {
  const HeapStatistics found = heap_.read();
  EXPECT_EQ(found.in_use_bytes, 10 * kGoPageBytes);
  EXPECT_EQ(found.gc_cycles, heap_.kSweepgen / 2);
  EXPECT_EQ(found.released_bytes, 0u);
  EXPECT_EQ(found.objects_allocated, 0u);
  EXPECT_EQ(found.allocated_bytes, 0u);
}

TEST_F(MadeUpHeapTest, AShardMayBeNegativeAsLongAsTheSumIsNot) {
  const std::uint64_t shards = heap_.kStatistics + heap_.offset("runtime.mstats.heapStats");
  const std::uint64_t count = shards + heap_.offset("runtime.heapStatsDelta.largeAllocCount");
  const std::uint64_t size = heap_.size("runtime.heapStatsDelta");
  heap_.memory.put(count, std::uint64_t{100});
  heap_.memory.put(count + 2 * size, ~std::uint64_t{0} - 29); // -30
  EXPECT_EQ(heap_.read().objects_allocated, 70u);
  heap_.memory.put(count, std::uint64_t{20});
  heap_.memory.put(shards + heap_.offset("runtime.heapStatsDelta.largeFreeCount"),
                   std::uint64_t{5});
  EXPECT_EQ(heap_.read().objects_allocated, std::nullopt); // -10: caught in a move
}

TEST_F(MadeUpHeapTest, AVariableThatIsNotTheOneIsNotBelieved) {
  heap_.memory.put(heap_.kPacer + heap_.offset("runtime.gcControllerState.heapInUse"),
                   std::uint64_t{1} << 30);
  HeapStatistics found = heap_.read();
  EXPECT_EQ(found.goal_bytes, std::nullopt);
  EXPECT_EQ(found.idle_bytes, std::nullopt);
  EXPECT_EQ(found.in_use_bytes, 10 * kGoPageBytes);

  heap_.memory.put(heap_.kStatistics + heap_.offset("runtime.mstats.numgc"), std::uint32_t{777});
  found = heap_.read();
  EXPECT_EQ(found.objects_allocated, std::nullopt);
  EXPECT_EQ(found.released_bytes, std::nullopt);
  EXPECT_EQ(found.gc_cycles, heap_.kSweepgen / 2);
}

TEST_F(MadeUpHeapTest, WhatCannotBeReadIsAbsent) {
  heap_.anchors.gc_controller = {0xdead0000};
  heap_.anchors.statistics = {};
  const HeapStatistics found = heap_.read();
  EXPECT_EQ(found.live_bytes, std::nullopt);
  EXPECT_EQ(found.objects_freed, std::nullopt);
  EXPECT_EQ(found.in_use_bytes, 10 * kGoPageBytes);
}

TEST_F(MadeUpHeapTest, NoGarbageMakesANumberThatNoHeapCanHave) {
  std::mt19937_64 random{1};
  for (int round = 0; round < 200; ++round) {
    for (const auto &[start, type] : {std::pair{heap_.kPacer, "runtime.gcControllerState"},
                                      std::pair{heap_.kStatistics, "runtime.mstats"}})
      for (std::uint64_t at = 0; at + 8 <= heap_.size(type); at += 8)
        heap_.memory.put(start + at, random() >> (random() % 64));
    if (round % 2 == 0)
      pages(10); // so that the rest is believed
    heap_.memory.put(heap_.kStatistics + heap_.offset("runtime.mstats.numgc"), heap_.kSweepgen / 2);
    const HeapStatistics found = heap_.read();
    for (auto bytes : {found.live_bytes, found.allocated_bytes, found.in_use_bytes,
                       found.idle_bytes, found.released_bytes, found.goal_bytes})
      EXPECT_LE(bytes.value_or(0), kHeapBytesMax);
    EXPECT_GE(found.objects_allocated.value_or(0), found.objects_freed.value_or(0));
  }
}

TEST(PacerTest, TheGoalNeverEndsBelowWhatIsAliveOrBeforeItBegan) {
  PacerState state{.percent_goal_bytes = 100 << 20,
                   .limit_bytes = kNoLimit,
                   .marked_bytes = 50 << 20,
                   .allocated_bytes = 60 << 20,
                   .free_bytes = 10 << 20,
                   .mapped_bytes = 80 << 20,
                   .triggered_bytes = kNoGoal};
  EXPECT_EQ(heap_goal(state), 100u << 20);
  state.triggered_bytes = 100 << 20;
  EXPECT_EQ(heap_goal(state), (100u << 20) + (64u << 10));
  state.limit_bytes = 20 << 20;
  EXPECT_EQ(heap_goal(state), 50u << 20);
  state.percent_goal_bytes = kNoGoal;
  state.limit_bytes = kNoLimit;
  EXPECT_EQ(heap_goal(state), std::nullopt);
  state.limit_bytes = 200 << 20;
  state.free_bytes = 100 << 20; // more than there is
  EXPECT_EQ(heap_goal(state), std::nullopt);
}

std::vector<Build> all_builds() {
  std::vector<Build> builds;
  for (const std::string &version : kGoReleases)
    for (const char *mode : {"plain", "stripped", "pie", "cgo"})
      builds.push_back({version, mode});
  return builds;
}

std::string name_of(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("Go{}_{}", info.param.version, info.param.mode);
  std::ranges::replace(name, '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Programs, HeapStatisticsTest, ::testing::ValuesIn(all_builds()), name_of);

} // namespace
} // namespace mapscope
