// Snapshots that are kept of processes near their limits.
#include "pipeline/daemon/census_snapshots.h"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "pipeline/map_survey.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

class CensusSnapshotsTest : public ::testing::Test {
protected:
  void SetUp() override {
    const std::string path = std::string{SOURCE_DIRECTORY} + "/build/workloads/1.27.4/plain/census";
    if (!fs::exists(path))
      GTEST_SKIP() << "census is not built; tools/build-workloads does that";
    program = std::make_unique<testing::CensusProgram>(path, std::vector<std::string>{"-n", "300"});
    ASSERT_TRUE(program->is_ready());
    auto opened = open_process(program->pid());
    ASSERT_TRUE(opened) << opened.error().message();
    source = std::move(*opened);
  }
  void TearDown() override { fs::remove_all(directory.parent_path()); }

  static Result<> go_on() { return {}; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto &entry : fs::directory_iterator(directory))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  void write(const std::string &name, std::size_t bytes, int hours_old) const {
    fs::create_directories(directory);
    std::ofstream{directory / name} << std::string(bytes, 'x');
    fs::last_write_time(directory / name,
                        fs::file_time_type::clock::now() - std::chrono::hours{hours_old});
  }

  fs::path directory =
      fs::temp_directory_path() / fmt::format("mapscope-snapshots-{}", ::getpid()) / "kept";
  std::unique_ptr<testing::CensusProgram> program;
  MapSource source;
};

TEST_F(CensusSnapshotsTest, ASnapshotTellsWhatTheProcessHeld) {
  CensusSnapshots snapshots{directory, 1 << 30};
  const auto kept = snapshots.keep(source, go_on);
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_TRUE(
      fs::path{*kept}.filename().string().starts_with(fmt::format("census-{}-", program->pid())))
      << *kept;
  struct stat status{};
  ASSERT_EQ(::stat(kept->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U) << "what it holds are keys and values of a program";
  ASSERT_EQ(::stat(directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);

  auto opened = open_snapshot(*kept);
  ASSERT_TRUE(opened) << opened.error().message();
  MapSurvey survey{*opened};
  ASSERT_TRUE(survey.look());
  EXPECT_GE(survey.overview({}).report.totals.maps, program->maps.size() / 2);
}

TEST_F(CensusSnapshotsTest, TheOldestGoWhereThereIsNoRoom) {
  write("a-1-1.snap", 1536 << 10, 3);
  write("b-2-2.snap", 600 << 10, 2);
  write("c-3-3.snap", 100 << 10, 1);
  write("other.txt", 9 << 20, 9);
  CensusSnapshots snapshots{directory, 2 << 20};
  const auto kept = snapshots.keep(source, go_on);
  ASSERT_TRUE(kept) << kept.error().message();
  std::uint64_t sum = 0;
  for (const std::string &name : files())
    sum += name.ends_with(".snap") ? fs::file_size(directory / name) : 0;
  EXPECT_LE(sum, 2U << 20);
  EXPECT_FALSE(fs::exists(directory / "a-1-1.snap"));
  EXPECT_TRUE(fs::exists(directory / "c-3-3.snap"));
  EXPECT_TRUE(fs::exists(directory / "other.txt")) << "what is none of ours stays";
  EXPECT_TRUE(fs::exists(*kept));
}

TEST_F(CensusSnapshotsTest, WhatIsLargerThanAllMayBeIsNotKept) {
  write("a-1-1.snap", 1000, 3);
  CensusSnapshots snapshots{directory, 20'000};
  const auto kept = snapshots.keep(source, go_on);
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().message().find("snapshots_max_bytes"), std::string::npos)
      << kept.error().message();
  EXPECT_EQ(files(), std::vector<std::string>{"a-1-1.snap"});
}

TEST_F(CensusSnapshotsTest, AStopLeavesNothingBehind) {
  CensusSnapshots snapshots{directory, 1 << 30};
  const auto kept =
      snapshots.keep(source, []() -> Result<> { return fail(Errc::system, "stopping"); });
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().message().find("stopping"), std::string::npos);
  EXPECT_TRUE(files().empty());
}

TEST_F(CensusSnapshotsTest, WhatAnotherRunLeftUnfinishedGoes) {
  write("a-1-1.snap.part", 1000, 3);
  CensusSnapshots snapshots{directory, 1 << 30};
  ASSERT_TRUE(snapshots.keep(source, go_on));
  EXPECT_EQ(files().size(), 1U);
}

} // namespace
} // namespace mapscope
