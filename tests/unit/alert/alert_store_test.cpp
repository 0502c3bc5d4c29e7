// The database: whose file it is, who may read it, and that damage costs no more than what was
// damaged.
#include "alert/alert_store.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "support/file_content.h"
#include "unit/alert/alert_samples.h"

namespace mapscope {
namespace {

struct AlertStoreTest : ::testing::Test {
  ScratchDirectory directory;
  std::string path = directory / "a/b/alerts.db";

  static StoreChanges changes(std::uint64_t sequence, std::string text) {
    return {.alerts = {{.fingerprint = "f", .is_told = true, .boot_id = "boot", .text = text}},
            .notices = {{.sequence = sequence,
                         .sink = "s",
                         .fingerprint = "f",
                         .text = std::make_shared<const std::string>(text)}}};
  }
  void fill() {
    auto store = AlertStore::open(path);
    ASSERT_TRUE(store) << store.error().message();
    ASSERT_TRUE(store->save(changes(3, "three")));
    ASSERT_TRUE(store->save(changes(9, "nine")));
  }
  static mode_t mode_of(const std::string &file) {
    struct stat status{};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 0777U;
  }
};

TEST_F(AlertStoreTest, KeepsWhatItWasGiven) {
  fill();
  auto store = AlertStore::open(path);
  ASSERT_TRUE(store);
  const auto alerts = store->alerts();
  ASSERT_EQ(alerts->size(), 1U);
  EXPECT_EQ(alerts->front().text, "nine");
  EXPECT_TRUE(alerts->front().is_firing && alerts->front().is_told);
  ASSERT_EQ(store->notices()->size(), 2U);
  EXPECT_EQ(store->notices()->front().sequence, 3U);
  EXPECT_EQ(store->text(9), "nine");
  EXPECT_EQ(store->text(4).error().code(), Errc::not_found);
  ASSERT_TRUE(store->save({.forgotten = {"f"}, .done = {3}}));
  EXPECT_TRUE(store->alerts()->empty());
  EXPECT_EQ(store->notices()->size(), 1U);
}

TEST_F(AlertStoreTest, OnlyItsOwnerReadsIt) {
  std::filesystem::create_directories(directory / "a");
  fill();
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(mode_of(directory / "a/b"), 0700U);
  ::chmod(path.c_str(), 0644);
  fill();
  EXPECT_EQ(mode_of(path), 0600U);
}

TEST_F(AlertStoreTest, ADatabaseOfAnotherProgramIsRefused) {
  std::filesystem::create_directories(directory / "a/b");
  sqlite3 *other = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
  sqlite3_exec(other, "CREATE TABLE theirs (x)", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  auto store = AlertStore::open(path);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Errc::malformed);
  EXPECT_TRUE(store.error().message().contains("another program")) << store.error().message();
  EXPECT_FALSE(std::filesystem::exists(path + ".damaged-1"));
}

TEST_F(AlertStoreTest, ASchemaOfAnotherVersionIsRefused) {
  fill();
  sqlite3 *ours = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &ours), SQLITE_OK);
  sqlite3_exec(ours, "PRAGMA user_version=99", nullptr, nullptr, nullptr);
  sqlite3_close(ours);
  auto store = AlertStore::open(path);
  ASSERT_FALSE(store);
  EXPECT_TRUE(store.error().message().contains("schema 99")) << store.error().message();
}

TEST_F(AlertStoreTest, EveryDamagedFileIsKept) {
  for (int n = 1; n <= 2; ++n) {
    fill();
    {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(100); // the first page behind the file's header
      file << std::string(3900, '\x5a');
    }
    auto store = AlertStore::open(path);
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_TRUE(store->alerts()->empty());
    EXPECT_TRUE(std::filesystem::exists(path + ".damaged-" + std::to_string(n)));
  }
}

TEST_F(AlertStoreTest, AFileThatWasCutShortOpensOrIsMovedAside) {
  fill();
  const std::string content = testing::file_text(path);
  ASSERT_GT(content.size(), 4096U);
  for (std::size_t size = 0; size < content.size(); size += 1500) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(content.data(), static_cast<long>(size));
    auto store = AlertStore::open(path);
    ASSERT_TRUE(store) << size << ": " << store.error().message();
    EXPECT_TRUE(store->save(changes(1, "one"))) << size;
  }
}

TEST_F(AlertStoreTest, SaysWhatIsWrongWithAPath) {
  std::ofstream(directory / "file") << "x";
  auto store = AlertStore::open(directory / "file/alerts.db");
  ASSERT_FALSE(store);
  EXPECT_TRUE(store.error().message().contains("file/alerts.db")) << store.error().message();
  std::filesystem::create_directories(path);
  EXPECT_FALSE(AlertStore::open(path));
}

} // namespace
} // namespace mapscope
