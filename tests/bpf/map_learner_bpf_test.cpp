// What is learned from the writes of real Go programs, of each release and in each way of building
// them, against their source; and that no probe stays.
#include "pipeline/map_learner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "attach/process.h"
#include "base/duplicate.h"
#include "binary/confined_parser.h"
#include "memory/live_process.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;
using testing::CensusProgram;

struct Build {
  const char *version;
  const char *mode; // of tools/build-workloads
};

std::string name_of(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("Go{}_{}", info.param.version, info.param.mode);
  std::ranges::replace(name, '.', '_');
  return name;
}

// The only functions of workloads/restless that write maps once it is ready: by what they write,
// where the source says so.
struct Writer {
  std::string function, type, text;
};
const std::vector<Writer> kWriters = {
    {"main.(*growing).step", "map[string]int", "g.m[keys[g.len]] = g.len"},
    {"main.(*churning).step", "map[int]int", "c.m[c.next] = c.next"},
};

std::vector<std::string> source_lines() {
  std::ifstream file(fmt::format("{}/workloads/restless/main.go", SOURCE_DIRECTORY));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(line.substr(std::min(line.find_first_not_of('\t'), line.size())));
  return lines;
}

// A running workloads/restless: two goroutines that write 64 maps without a pause.
class Restless {
public:
  explicit Restless(const std::string &path)
      : share_(std::filesystem::temp_directory_path() /
               fmt::format("mapscope-learn-{}", ::getpid())),
        program_(path, {"-static", "0", "-share", share_}) {}
  ~Restless() { std::filesystem::remove(share_); }
  Restless(const Restless &) = delete;
  Restless &operator=(const Restless &) = delete;

  CensusProgram &program() { return program_; }

  // Addresses of the maps that it keeps (every second one), which it says itself: four words each,
  // the second one.
  std::set<std::uint64_t> kept_maps() const {
    std::ifstream file(share_, std::ios::binary);
    std::set<std::uint64_t> addresses;
    std::array<std::uint64_t, 4> record{};
    for (std::size_t i = 0; file.read(reinterpret_cast<char *>(record.data()), sizeof(record)); ++i)
      if (i % 2 == 1)
        addresses.insert(record[1]);
    return addresses;
  }

private:
  std::filesystem::path share_;
  CensusProgram program_;
};

class MapLearnerBpfTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "placing probes needs root";
    const std::string path = fmt::format("{}/build/workloads/{}/{}/restless", SOURCE_DIRECTORY,
                                         GetParam().version, GetParam().mode);
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << path << " does not exist: tools/build-workloads builds it";
    restless_.emplace(path);
    ASSERT_TRUE(restless_->program().is_ready());
    auto process = find_process(pid());
    ASSERT_TRUE(process) << process.error().message();
    auto bias = process_load_bias(pid(), facts().entry);
    ASSERT_TRUE(bias) << bias.error().message();
    bias_ = *bias;
    auto memory = LiveProcess::open(process->key);
    ASSERT_TRUE(memory) << memory.error().message();
    memory_ = std::move(*memory);
    auto binary = ConfinedBinary::open(std::move(process->executable), path);
    ASSERT_TRUE(binary) << binary.error().message();
    binary_ = std::move(*binary);
  }
  void TearDown() override {
    if (restless_) {
      EXPECT_EQ(probes_left(), 0u);
    }
  }

  pid_t pid() { return restless_->program().pid(); }
  const BinaryFacts &facts() { return restless_->program().facts; }

  LearnedWrites learn(std::chrono::milliseconds duration, const LearnLimits &limits = {}) {
    auto learned = learn_writes(pid(), duration, limits);
    EXPECT_TRUE(learned) << learned.error().message();
    return learned.value_or(LearnedWrites{});
  }

  bool read(ProcessAddress address, std::span<std::byte> into) {
    MemoryRead wanted{.address = address, .into = into};
    return memory_ && memory_->read(std::span{&wanted, 1}) && wanted.is_read;
  }

  // In the memory of the process: breakpoints.
  std::size_t probes_left() {
    std::size_t count = 0;
    for (const ProbePoint &point : facts().map_writes) {
      std::vector<std::byte> found(point.expected.size());
      if (!read(bias_.to_process(point.address), found))
        continue; // it has ended
      count += !std::ranges::equal(std::as_bytes(std::span{point.expected}), found);
    }
    return count;
  }

  const Writer *writer_of(const LearnedWrite &write);
  void expect_true(const LearnedWrites &learned);

  std::optional<Restless> restless_;
  std::unique_ptr<LiveProcess> memory_;
  std::unique_ptr<ConfinedBinary> binary_;
  LoadBias bias_;
  std::vector<std::string> source_ = source_lines();
};

// Null: the line is not one that writes.
const Writer *MapLearnerBpfTest::writer_of(const LearnedWrite &write) {
  const ElfAddress call{bias_.to_elf(write.return_address).value - 1};
  auto frames = binary_->symbolize(std::span{&call, 1});
  if (!frames || frames->front().empty())
    return nullptr;
  const SourceFrame &frame = frames->front().front();
  auto writer = std::ranges::find(kWriters, frame.function, &Writer::function);
  const bool is_right_line = writer != kWriters.end() && frame.file.ends_with("/main.go") &&
                             frame.line > 0 && frame.line <= source_.size() &&
                             source_[frame.line - 1] == writer->text;
  return is_right_line ? &*writer : nullptr;
}

void MapLearnerBpfTest::expect_true(const LearnedWrites &learned) {
  const std::set<std::uint64_t> kept = restless_->kept_maps();
  for (const LearnedWrite &write : learned.writes) {
    const Writer *writer = writer_of(write);
    ASSERT_NE(writer, nullptr) << fmt::format("{:#x}", write.return_address.value);
    const ElfAddress descriptor = bias_.to_elf(write.type);
    auto types = binary_->map_types(std::span{&descriptor, 1});
    ASSERT_TRUE(types && types->front());
    EXPECT_EQ(types->front()->name, writer->type);
    EXPECT_EQ(kept.contains(write.map.value), writer->type == "map[int]int");
    EXPECT_GT(write.hits, 0u);
    if (!kept.contains(write.map.value))
      continue;
    std::array<std::byte, 16> header{};
    ASSERT_TRUE(read(write.map, header));
    std::uint64_t word = 0;
    std::memcpy(&word, header.data() + 8, sizeof(word));
    EXPECT_EQ(write.seed,
              facts().map_implementation == MapImplementation::swiss ? word : word >> 32);
  }
}

TEST_P(MapLearnerBpfTest, EveryMapThatIsWrittenIsLearnedWithItsTypeAndLine) {
  std::set<std::uint64_t> seen, kept = restless_->kept_maps();
  // On a busy machine a goroutine may not run at all while probes are there.
  for (int turn = 0; turn < 20 && !std::ranges::includes(seen, kept); ++turn) {
    const LearnedWrites learned = learn(1500ms);
    expect_true(learned);
    for (const LearnedWrite &write : learned.writes)
      seen.insert(write.map.value);
    EXPECT_TRUE(std::ranges::is_sorted(learned.writes));
    EXPECT_GE(learned.flash_count, 1u);
    EXPECT_LE(learned.attached_ns, learned.duration_ns);
    EXPECT_EQ(learned.lost, 0u);
    EXPECT_EQ(learned.stopped_by, "");
  }
  EXPECT_TRUE(std::ranges::includes(seen, kept));
}

INSTANTIATE_TEST_SUITE_P(Releases, MapLearnerBpfTest,
                         ::testing::Values(Build{"1.17.13", "plain"}, Build{"1.19.13", "plain"},
                                           Build{"1.21.13", "plain"}, Build{"1.22.12", "plain"},
                                           Build{"1.22.12", "pie"}, Build{"1.23.12", "plain"},
                                           Build{"1.24.13", "plain"}, Build{"1.25.14", "cgo"},
                                           Build{"1.26.8", "plain"}, Build{"1.26.8", "stripped"},
                                           Build{"1.26.8", "pie"}, Build{"1.27.4", "plain"}),
                         name_of);

class MapLearnerEndBpfTest : public MapLearnerBpfTest {};

TEST_P(MapLearnerEndBpfTest, OneProbeAtATimeIsRightAsWell) {
  LearnLimits limits;
  limits.one_by_one = true;
  limits.budget.share = 0.5; // each function gets its turn
  const LearnedWrites learned = learn(1500ms, limits);
  expect_true(learned);
  EXPECT_FALSE(learned.writes.empty());
  EXPECT_GE(learned.flash_count, facts().map_writes.size());
}

TEST_P(MapLearnerEndBpfTest, WhatDoesNotFitIsCountedAsLost) {
  LearnLimits limits;
  limits.writes_max = 3;
  const LearnedWrites learned = learn(500ms, limits);
  expect_true(learned);
  EXPECT_EQ(learned.writes.size(), 3u);
  EXPECT_GT(learned.lost, 0u);
}

TEST_P(MapLearnerEndBpfTest, ASignalEndsItEarly) {
  sigset_t interrupt;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::sigprocmask(SIG_BLOCK, &interrupt, nullptr); // it strikes when somebody looks for it
  ::kill(::getpid(), SIGINT);
  const LearnedWrites learned = learn(60s);
  EXPECT_LT(learned.duration_ns, 30'000'000'000U);
  EXPECT_NE(learned.stopped_by, "");
}

TEST_P(MapLearnerEndBpfTest, ItEndsWithTheProcess) {
  // No thread: the parser is forked, and would wait for ever for a lock that a thread held as it
  // ended.
  const pid_t killer = ::fork();
  if (killer == 0) {
    std::this_thread::sleep_for(300ms); // or before it has begun: that is an answer, too
    ::kill(pid(), SIGKILL);
    ::_exit(0);
  }
  auto learned = learn_writes(pid(), 60s);
  ::waitpid(killer, nullptr, 0);
  if (learned) {
    EXPECT_EQ(learned->stopped_by, "the process ended");
  } else {
    EXPECT_EQ(learned.error().code(), Errc::gone) << learned.error().message();
  }
}

INSTANTIATE_TEST_SUITE_P(Newest, MapLearnerEndBpfTest,
                         ::testing::Values(Build{"1.22.12", "plain"}, Build{"1.27.4", "plain"}),
                         name_of);

TEST(MapLearnerTest, AProcessThatIsNoGoProgramIsRefused) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "placing probes needs root";
  auto learned = learn_writes(::getpid(), 10ms);
  ASSERT_FALSE(learned);
  EXPECT_EQ(learned.error().code(), Errc::not_found) << learned.error().message();
}

} // namespace
} // namespace mapscope
