// Parsers that rest: how many live, who starts them, and what a later question finds.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/duplicate.h"
#include "binary/confined_parser.h"
#include "support/synthetic_go.h"

namespace mapscope {
namespace {

Fd file_of(const SyntheticGo &program_of) {
  SyntheticGo program = program_of;
  const auto bytes = program.make();
  Fd file{::memfd_create("tiny", MFD_CLOEXEC)};
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

ElfAddress text_of_tiny() {
  SyntheticGo program;
  (void)program.make();
  return program.text();
}

std::string function_at_text(ConfinedBinary &binary) {
  const ElfAddress address = text_of_tiny();
  auto frames = binary.symbolize({&address, 1});
  return frames ? frames->front().front().function : frames.error().message();
}

// This process's children, the helper included.
std::size_t children() {
  std::size_t count = 0;
  for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list{task.path() / "children"};
    for (int pid = 0; list >> pid;)
      ++count;
  }
  return count;
}

// Who ends one does not wait for the kernel to have ended it.
void await_no_parser(BinaryCache &cache) {
  while (cache.parsers_alive() != 0)
    cache.end_rested();
}

constexpr CacheLimits kOneParser{.alive_max = 1};

TEST(BinaryCacheRestTest, NoMoreParsersLiveThanMayAndAllBinariesAnswer) {
  BinaryCache cache{{}, kOneParser};
  std::vector<std::shared_ptr<ConfinedBinary>> binaries;
  for (int i = 0; i < 5; ++i) {
    auto binary = cache.open(file_of({}), "/srv/tiny");
    ASSERT_TRUE(binary) << binary.error().message();
    binaries.push_back(*binary);
    EXPECT_EQ(cache.parsers_alive(), 1u);
  }
  EXPECT_EQ(children(), 2u); // the helper and one parser
  for (const auto &binary : binaries) {
    EXPECT_EQ(binary->facts().go_version, "go1.26.8");
    EXPECT_EQ(function_at_text(*binary), "main.main");
    EXPECT_EQ(cache.parsers_alive(), 1u);
  }
}

TEST(BinaryCacheRestTest, AParserThatNobodyAsksEndsAndTheNextQuestionStartsAnother) {
  BinaryCache cache{{}, {.alive_max = 2, .rest_after = std::chrono::milliseconds{1}}};
  auto binary = cache.open(file_of({}), "/srv/tiny");
  ASSERT_TRUE(binary);
  await_no_parser(cache); // a millisecond passes
  EXPECT_EQ(children(), 1u);
  EXPECT_EQ(function_at_text(**binary), "main.main");
  EXPECT_EQ(cache.parsers_alive(), 1u);
}

TEST(BinaryCacheRestTest, WhatWasAnsweredNeedsNoParser) {
  BinaryCache cache{{}, {.alive_max = 1, .rest_after = std::chrono::milliseconds{1}}};
  auto binary = cache.open(file_of({}), "/srv/tiny");
  ASSERT_TRUE(binary);
  EXPECT_EQ(function_at_text(**binary), "main.main");
  await_no_parser(cache);
  EXPECT_EQ(function_at_text(**binary), "main.main");
  EXPECT_EQ(cache.parsers_alive(), 0u);
}

TEST(BinaryCacheRestTest, AFileThatChangedMeanwhileIsNotAsked) {
  BinaryCache cache{{}, kOneParser};
  Fd file = file_of({});
  auto binary = cache.open(*duplicate(file), "/srv/tiny");
  auto other = cache.open(file_of({}), "/srv/other"); // ends the parser of the first
  ASSERT_TRUE(binary && other);
  ASSERT_EQ(::ftruncate(file.get(), 100), 0);
  const ElfAddress address = text_of_tiny();
  auto frames = (*binary)->symbolize({&address, 1});
  ASSERT_FALSE(frames);
  EXPECT_EQ(frames.error().code(), Errc::gone);
  EXPECT_EQ(frames.error().message(), "/srv/tiny: its contents have changed since it was parsed");
}

TEST(BinaryCacheRestTest, ABinaryThatIsDroppedTakesItsParserAlongAndIsKnownAgain) {
  BinaryCache cache{{}, kOneParser};
  Fd file = file_of({});
  const BinaryFacts *facts = nullptr;
  {
    auto binary = cache.open(*duplicate(file), "/srv/tiny");
    ASSERT_TRUE(binary);
    facts = &(*binary)->facts();
    EXPECT_EQ(cache.parsers_alive(), 1u);
  }
  await_no_parser(cache);
  auto again = cache.open(*duplicate(file), "/srv/tiny");
  ASSERT_TRUE(again);
  EXPECT_EQ(cache.parsers_alive(), 0u); // its facts were kept
  EXPECT_EQ(&(*again)->facts(), facts);
  EXPECT_EQ(function_at_text(**again), "main.main");
}

TEST(BinaryCacheRestTest, ManyThreadsAskAtOnce) {
  BinaryCache cache{{}, {.alive_max = 2}};
  std::vector<Fd> files;
  for (int i = 0; i < 4; ++i)
    files.push_back(file_of({}));
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        for (std::size_t turn = 0; turn < 10; ++turn) {
          auto binary = cache.open(*duplicate(files[(i + turn) % files.size()]), "/srv/tiny");
          if (!binary || function_at_text(**binary) != "main.main" || cache.parsers_alive() > 2)
            ++wrong;
          cache.end_rested();
        }
      });
  }
  EXPECT_EQ(wrong, 0);
}

TEST(BinaryCacheRestTest, OneFileIsParsedOnceWhoeverOpensIt) {
  BinaryCache cache{{}, {.alive_max = 2}};
  Fd file = file_of({});
  std::vector<std::shared_ptr<ConfinedBinary>> opened(4);
  {
    std::vector<std::jthread> threads;
    for (auto &binary : opened)
      threads.emplace_back([&] {
        if (auto result = cache.open(*duplicate(file), "/srv/tiny"))
          binary = *result;
      });
  }
  ASSERT_NE(opened[0], nullptr);
  for (const auto &binary : opened)
    EXPECT_EQ(binary, opened[0]);
}

TEST(BinaryCacheRestTest, AParserOutlivesTheThreadThatAskedForIt) {
  BinaryCache cache{{}, kOneParser};
  std::shared_ptr<ConfinedBinary> binary;
  std::jthread{[&] { binary = cache.open(file_of({}), "/srv/tiny").value_or(nullptr); }}.join();
  ASSERT_NE(binary, nullptr);
  EXPECT_EQ(function_at_text(*binary), "main.main");
}

TEST(BinaryCacheRestTest, CountsParsersThatEndThoughNobodyToldThem) {
  using std::chrono::milliseconds;
  BinaryCache hasty{{.answer_time = milliseconds{0}}, kOneParser}; // for it, all of them hang
  ASSERT_FALSE(hasty.open(file_of({}), "/srv/tiny"));
  EXPECT_EQ(hasty.parsers_died(), 1u);
  EXPECT_EQ(hasty.parsers_alive(), 0u);
  BinaryCache patient{{}, kOneParser};
  ASSERT_TRUE(patient.open(file_of({}), "/srv/tiny"));
  EXPECT_EQ(patient.parsers_died(), 0u);
}

TEST(BinaryCacheRestTest, AfterTheStopNothingIsAskedAndNothingLives) {
  BinaryCache cache{{}, kOneParser};
  auto binary = cache.open(file_of({}), "/srv/tiny");
  ASSERT_TRUE(binary);
  cache.stop();
  await_no_parser(cache);
  EXPECT_NE(function_at_text(**binary), "main.main");
  auto late = cache.open(file_of({}), "/srv/other");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::gone);
}

TEST(BinaryCacheRestTest, LeavesNoChildBehind) {
  {
    BinaryCache cache{{}, kOneParser};
    auto binary = cache.open(file_of({}), "/srv/tiny");
    EXPECT_TRUE(binary);
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ParserStarterTest, AHelperThatWasKilledIsReplaced) {
  ParserStarter starter;
  ASSERT_GT(starter.pid(), 0);
  ASSERT_EQ(::kill(starter.pid(), SIGKILL), 0);
  auto parser = ParserProcess::start(file_of({}), "/srv/tiny", {}, &starter);
  ASSERT_TRUE(parser) << parser.error().message();
  auto reply = parser->ask({{"ask", "facts"}});
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_TRUE(reply->contains("facts"));
}

TEST(ParserStarterTest, TheHelperHoldsNoPrivilegeAndNoDescriptorOfOurs) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root has privileges to lose";
  Fd secret = file_of({});
  ParserStarter starter;
  // It has settled once it answers.
  ASSERT_TRUE(ParserProcess::start(file_of({}), "/srv/tiny", {}, &starter));
  const std::filesystem::path helper = "/proc/" + std::to_string(starter.pid());
  std::ifstream status{helper / "status"};
  std::string line, capabilities;
  while (std::getline(status, line))
    if (line.starts_with("CapPrm:"))
      capabilities = line;
  EXPECT_EQ(capabilities, "CapPrm:\t0000000000000000");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{helper / "fd"}, {}), 1);
}

} // namespace
} // namespace mapscope
