// A census of a core file and of a snapshot says what the census of the process said.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/process_files.h"
#include "heap/census.h"
#include "memory/core_file.h"
#include "memory/live_process.h"
#include "memory/snapshot.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

std::unique_ptr<LiveProcess> open_live(pid_t pid) {
  const auto start_time_ns = read_process_stat(pid).value().start_time_ns;
  return LiveProcess::open({static_cast<std::uint32_t>(pid), start_time_ns}).value();
}

Fd open_file(const std::string &path) { return Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}; }

// All that a census says of maps, in the order of addresses.
std::vector<MapSample> maps_of(const Census &census) {
  std::vector<MapSample> maps;
  for (std::size_t i = 0; i < census.maps.size(); ++i)
    maps.push_back(census.maps[i]);
  std::ranges::sort(maps, {}, &MapSample::address);
  return maps;
}

void expect_same(const Result<Census> &expected, const Result<Census> &found) {
  ASSERT_TRUE(expected) << expected.error().message();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_GT(expected->maps.size(), 1000u);
  EXPECT_TRUE(maps_of(*found) == maps_of(*expected));
  EXPECT_EQ(found->counts.map_count, expected->counts.map_count);
  EXPECT_EQ(found->counts.candidate_count, expected->counts.candidate_count);
  EXPECT_EQ(found->counts.unsettled_count, expected->counts.unsettled_count);
  EXPECT_EQ(found->heap.allocated_bytes, expected->heap.allocated_bytes);
  ASSERT_EQ(found->types.size(), expected->types.size());
  for (std::size_t i = 0; i < found->types.size(); ++i)
    EXPECT_EQ(found->types[i].type.name, expected->types[i].type.name);
  EXPECT_EQ(found->type_sets, expected->type_sets);
}

struct Build {
  const char *version, *mode;
  friend void PrintTo(const Build &build, std::ostream *stream) {
    *stream << "Go " << build.version << ", " << build.mode;
  }
};

std::string name_of(const ::testing::TestParamInfo<Build> &build) {
  std::string name = fmt::format("Go{}_{}", build.param.version, build.param.mode);
  std::ranges::replace(name, '.', '_');
  return name;
}

class CensusSourcesTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    const auto &[version, mode] = GetParam();
    path_ = fmt::format("{}/build/workloads/{}/{}/census", SOURCE_DIRECTORY, version, mode);
    if (!std::filesystem::exists(path_))
      GTEST_SKIP() << path_ << " is not built; tools/build-workloads does that";
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("mapscope-census-sources-{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path_;
  std::filesystem::path folder_; // core files lie in it, and are large
};

#if defined(__x86_64__)
// Without letting the program run again: its next step is an instruction at address 0, and the
// signal for that finds no handler that may be called. Go handles every other one that dumps core.
bool dump_core(pid_t pid) {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::prlimit(pid, RLIMIT_CORE, &unlimited, nullptr) != 0 ||
      ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0)
    return false;
  int status = 0;
  std::uint64_t all_signals = ~0ULL;
  user_regs_struct registers{};
  bool is_done = ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) == 0 &&
                 ::waitpid(pid, &status, 0) == pid &&
                 ::ptrace(PTRACE_SETSIGMASK, pid, sizeof(all_signals), &all_signals) == 0 &&
                 ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers) == 0;
  registers.rip = 0;
  registers.orig_rax = ~0ULL; // no system call is made again
  is_done = is_done && ::ptrace(PTRACE_SETREGS, pid, nullptr, &registers) == 0;
  is_done &= ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr) == 0;
  ::kill(pid, SIGCONT);
  return is_done && ::waitid(P_PID, static_cast<id_t>(pid), nullptr, WEXITED | WNOWAIT) == 0;
}
#else
bool dump_core(pid_t) { return false; } // nobody has tried how registers are set there
#endif

Result<std::unique_ptr<CoreFile>> open_core(const std::string &path) {
  auto core = TRY(CoreFile::open(open_file(path), path));
  TRY(core->set_executable(open_file(core->exe())));
  return core;
}

// The program is idle, but its runtime is not quite; so it is stopped first.
TEST_P(CensusSourcesTest, ACoreFileOfTheKernelSaysWhatTheProcessSaid) {
  std::string pattern;
  std::ifstream{"/proc/sys/kernel/core_pattern"} >> pattern;
  if (pattern.empty() || pattern.starts_with('|') || pattern.contains('/'))
    GTEST_SKIP() << "core files are not written where the process is: " << pattern;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  CensusProgram program(path_, {"-n", "3000", "-noise", "10"});
  std::filesystem::current_path(here);
  ASSERT_TRUE(program.is_ready());
  ASSERT_EQ(::kill(program.pid(), SIGSTOP), 0);
  const auto live = open_live(program.pid());
  const auto census = take_census(*live, program.anchors, program.facts);
  if (!dump_core(program.pid())) {
    ::kill(program.pid(), SIGCONT);
    GTEST_SKIP() << "the core limit of a child can't be raised here, or its registers not be set";
  }
  const auto file = std::filesystem::directory_iterator{folder_};
  if (file == std::filesystem::directory_iterator{})
    GTEST_SKIP() << "this kernel writes no core files";
  auto core = open_core(file->path());
  ASSERT_TRUE(core) << core.error().message();
  EXPECT_EQ((*core)->pid(), program.pid());
  EXPECT_EQ((*core)->exe(), std::filesystem::canonical(path_));
  EXPECT_FALSE((*core)->resident_pages({}));
  expect_same(census, take_census(**core, program.anchors, program.facts));

  // What did not fit is not there, and nothing is made up.
  const auto size_bytes = std::filesystem::file_size(file->path());
  std::filesystem::resize_file(file->path(), size_bytes / 20);
  auto torn = open_core(file->path());
  ASSERT_TRUE(torn) << torn.error().message();
  const auto rest = take_census(**torn, program.anchors, program.facts);
  if (rest) {
    EXPECT_LT(rest->counts.map_count, census->counts.map_count);
  }
}

class GcoreTest : public CensusSourcesTest {}; // whose files have a gigabyte

TEST_P(GcoreTest, ACoreFileOfItSaysWhatTheProcessSaid) {
  CensusProgram program(path_, {"-n", "3000", "-noise", "10"});
  ASSERT_TRUE(program.is_ready());
  ASSERT_EQ(::kill(program.pid(), SIGSTOP), 0);
  const auto live = open_live(program.pid());
  const auto census = take_census(*live, program.anchors, program.facts);
  const auto command =
      fmt::format("command -v gcore >/dev/null && gcore -o {}/core {} >/dev/null 2>&1",
                  folder_.string(), program.pid());
  const int status = std::system(command.c_str());
  ::kill(program.pid(), SIGCONT);
  if (status != 0)
    GTEST_SKIP() << "gcore cannot be had, or may not look at other processes";
  const std::string path = fmt::format("{}/core.{}", folder_.string(), program.pid());
  auto core = open_core(path);
  ASSERT_TRUE(core) << core.error().message();
  EXPECT_EQ((*core)->pid(), program.pid());
  expect_same(census, take_census(**core, program.anchors, program.facts));

  // Every byte that can be read now is that of the process, or the file's.
  const auto mappings = (*core)->mappings();
  ASSERT_TRUE(mappings);
  std::uint64_t compared = 0;
  for (const Mapping &mapping : *mappings) {
    if (mapping.is_writable || mapping.name != (*core)->exe())
      continue;
    std::vector<std::byte> then(mapping.size_bytes), now(mapping.size_bytes);
    MemoryRead from_core{mapping.start, then}, from_process{mapping.start, now};
    ASSERT_TRUE((*core)->read({&from_core, 1}));
    ASSERT_TRUE(live->read({&from_process, 1}));
    if (from_core.is_read) {
      EXPECT_TRUE(then == now) << std::hex << mapping.start.value;
      compared += mapping.size_bytes;
    }
  }
  EXPECT_GT(compared, 100'000u); // text and read-only data
}

class Saved {
public:
  Saved(CensusProgram &program, const CensusOptions &options) {
    const auto live = open_live(program.pid());
    auto writer =
        SnapshotWriter::create(Fd{::dup(file_.get())}, *live,
                               {.facts = std::make_shared<const BinaryFacts>(program.facts)})
            .value();
    census = take_census(*writer, program.anchors, program.facts, options);
    finished = writer->finish();
  }
  std::unique_ptr<Snapshot> open() const {
    return Snapshot::open(Fd{::dup(file_.get())}, "x.snap").value();
  }

  Result<Census> census;
  Result<> finished;

private:
  Fd file_{::memfd_create("snapshot", MFD_CLOEXEC)};
};

TEST_P(CensusSourcesTest, ASnapshotSaysWhatTheProcessSaid) {
  CensusProgram program(path_, {"-n", "3000", "-noise", "10"});
  ASSERT_TRUE(program.is_ready());
  ASSERT_EQ(::kill(program.pid(), SIGSTOP), 0);
  const CensusOptions options{.residency = true};
  const Saved saved{program, options};
  ::kill(program.pid(), SIGCONT);
  ASSERT_TRUE(saved.finished) << saved.finished.error().message();
  const auto snapshot = saved.open();
  const BinaryFacts &facts = *snapshot->process().facts;
  expect_same(saved.census, take_census(*snapshot, program.anchors, facts, options));
}

// While it changes, the same numbers need not come out, but the same ones each time, and those of
// what held still are right.
TEST_P(CensusSourcesTest, ASnapshotOfAProgramThatChangesSaysTheSameEachTime) {
  CensusProgram program(path_, {"-n", "3000", "-noise", "0", "-mutate", "2"});
  ASSERT_TRUE(program.is_ready());
  const Saved saved{program, {}};
  ASSERT_TRUE(saved.finished) << saved.finished.error().message();
  const auto first = saved.open();
  const auto census = take_census(*first, program.anchors, program.facts);
  expect_same(census, take_census(*first, program.anchors, program.facts));
  expect_same(census, take_census(*saved.open(), program.anchors, program.facts));
  const auto maps = maps_of(*census);
  for (const auto &[address, truth] : program.maps) {
    const auto map = std::ranges::lower_bound(
        maps, address, {}, [](const MapSample &one) { return one.address.value; });
    ASSERT_TRUE(map != maps.end() && map->address.value == address) << std::hex << address;
    EXPECT_EQ(map->len, truth.len);
    EXPECT_EQ(map->slots, truth.slots);
  }
}

constexpr Build kBuilds[] = {{"1.17.13", "pie"}, {"1.19.13", "plain"}, {"1.23.12", "plain"},
                             {"1.24.13", "pie"}, {"1.26.8", "plain"},  {"1.27.4", "stripped"}};
INSTANTIATE_TEST_SUITE_P(Builds, CensusSourcesTest, ::testing::ValuesIn(kBuilds), name_of);
INSTANTIATE_TEST_SUITE_P(Builds, GcoreTest, ::testing::Values(Build{"1.27.4", "plain"}), name_of);

} // namespace
} // namespace mapscope
