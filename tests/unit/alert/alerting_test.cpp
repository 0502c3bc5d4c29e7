// From findings to receivers, through the whole of alerting: what arrives, in what order, and what
// becomes of it when receivers, the disk or this program fail.
#include "alert/alerting.h"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "unit/alert/alert_samples.h"
#include "unit/alert/fake_receiver.h"

extern char **environ;

namespace mapscope {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

constexpr auto kLong = 60s; // far more than anything here takes

SinkConfig webhook(const std::string &url, std::string name = "hook") {
  return {.name = std::move(name),
          .kind = WebhookSink{.endpoint = {.url = url}},
          .retry_first = 10ms,
          .retry_longest = 100ms};
}

struct AlertingTest : ::testing::Test {
  ScratchDirectory directory;
  FakeReceiver receiver;
  AlertsConfig config{.database = directory / "state/alerts.db",
                      .sinks = {webhook(receiver.url("/hook"))}};
  std::string boot = "boot-1";

  std::unique_ptr<Alerting> started() {
    auto alerting = Alerting::start(config, {.host = "here", .boot_id = boot});
    if (!alerting)
      throw std::runtime_error(alerting.error().message());
    return *std::move(alerting);
  }
};

std::string fires(unsigned number) { return sample_fingerprint(number) + " firing"; }
std::string is_over(unsigned number) { return sample_fingerprint(number) + " resolved"; }

bool wait_until(const auto &condition) {
  for (int i = 0; i < 6000; ++i, std::this_thread::sleep_for(10ms))
    if (condition())
      return true;
  return false;
}

TEST_F(AlertingTest, TellsEachOnceAndInOrder) {
  auto alerting = started();
  alerting->take({sample_finding(1), sample_finding(2)});
  EXPECT_TRUE(alerting->flush(kLong));
  alerting->take({sample_finding(1, false), sample_finding(2, false), sample_finding(1)});
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(receiver.told(), (Texts{fires(1), fires(2), is_over(1), is_over(2), fires(1)}));
  const SinkFigures figures = alerting->figures().sinks.at(0);
  EXPECT_EQ(figures.delivered, 5U);
  EXPECT_EQ(figures.failed_attempts, 0U);
  EXPECT_EQ(figures.pending, 0U);
  EXPECT_EQ(figures.last_error, "");
}

TEST_F(AlertingTest, ListsWhatFiresAndWhatIsOver) {
  auto alerting = started();
  alerting->take({sample_finding(1), sample_finding(2)});
  alerting->take({sample_finding(1, false)});
  ASSERT_EQ(alerting->alerts().size(), 2U);
  ASSERT_EQ(alerting->firing().size(), 1U);
  EXPECT_EQ(alerting->firing()[0].fingerprint, sample_fingerprint(2));
  for (const Alert &alert : alerting->alerts()) {
    EXPECT_EQ(alert.host, "here");
    EXPECT_GT(alert.since_wall_ns, 0U);
    EXPECT_EQ(alert.finding.is_firing, alert.resolved_wall_ns == 0);
    EXPECT_GE(alert.updated_wall_ns, alert.since_wall_ns);
  }
}

TEST_F(AlertingTest, AReceiverThatFailsGetsAllOnceItRecovers) {
  receiver.answer_with(500);
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(receiver.wait_for_requests(2));
  EXPECT_NE(alerting->figures().sinks.at(0).last_error.find("status 500"), std::string::npos);
  alerting->take({sample_finding(1, false)});
  receiver.release();
  EXPECT_TRUE(alerting->flush(kLong));
  // The failed attempts told it "firing" some times; never after "resolved".
  const Texts told = receiver.told();
  EXPECT_EQ(told.back(), is_over(1));
  EXPECT_EQ(std::ranges::count(told, is_over(1)), 1);
  EXPECT_EQ(alerting->figures().sinks.at(0).delivered, 2U);
}

TEST_F(AlertingTest, AReceiverThatRefusesConnectionsGetsAllOnceItListens) {
  int port = 0;
  {
    FakeReceiver other;
    port = other.port();
  }
  config.sinks = {webhook("http://127.0.0.1:" + std::to_string(port))};
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(wait_until([&] { return alerting->figures().sinks.at(0).failed_attempts > 1; }));
  FakeReceiver late(nullptr, port);
  ASSERT_EQ(late.port(), port) << "somebody else has taken the port meanwhile";
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(late.told(), Texts{fires(1)});
}

TEST_F(AlertingTest, OneAlertThatIsRefusedHoldsUpNoOther) {
  receiver.answer_with([](const httplib::Request &request, httplib::Response &response) {
    response.status = request.body.contains(sample_fingerprint(2)) ? 400 : 200;
    response.set_content("what is that?", "text/plain");
  });
  auto alerting = started();
  alerting->take({sample_finding(1), sample_finding(2), sample_finding(3)});
  EXPECT_TRUE(alerting->flush(kLong));
  const SinkFigures figures = alerting->figures().sinks.at(0);
  EXPECT_EQ(figures.delivered, 2U);
  EXPECT_EQ(figures.dropped, 1U);
  EXPECT_GE(figures.failed_attempts, 5U);
}

TEST_F(AlertingTest, WrongCredentialsCostNoAlert) {
  receiver.answer_with(401);
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(receiver.wait_for_requests(8)); // more than a refused alert is tried
  EXPECT_EQ(alerting->figures().sinks.at(0).dropped, 0U);
  receiver.release();
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(alerting->figures().sinks.at(0).delivered, 1U);
}

TEST_F(AlertingTest, AHangingReceiverHoldsUpNoOtherSinkAndNoEnd) {
  FakeReceiver hanging;
  hanging.hold();
  config.sinks.push_back(webhook(hanging.url(), "hanging"));
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(hanging.wait_for_requests(1));
  ASSERT_TRUE(receiver.wait_for_requests(1));
  ASSERT_TRUE(wait_until([&] { return alerting->figures().sinks.at(0).delivered == 1; }));
  EXPECT_EQ(alerting->figures().sinks.at(1).pending, 1U);
  EXPECT_FALSE(alerting->flush(1ms));
  alerting->stop(1ms); // would last until the time limit of a request otherwise
  hanging.release();
  auto again = started();
  EXPECT_TRUE(again->flush(kLong));
  EXPECT_EQ(hanging.told().back(), fires(1));
  EXPECT_EQ(receiver.told(), Texts{fires(1)});
}

TEST_F(AlertingTest, AReceiverThatNeverAnswersIsGivenUpAtTheTimeLimit) {
  receiver.hold();
  std::get<WebhookSink>(config.sinks[0].kind).endpoint.timeout = 50ms;
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(receiver.wait_for_requests(2));
  EXPECT_GE(alerting->figures().sinks.at(0).failed_attempts, 1U);
  receiver.release();
  std::get<WebhookSink>(config.sinks[0].kind).endpoint.timeout = 10s;
  ASSERT_TRUE(alerting->reconfigure(config));
  EXPECT_TRUE(alerting->flush(kLong));
}

TEST_F(AlertingTest, RemembersWhatFiresAndWhatIsUndelivered) {
  receiver.answer_with(503);
  {
    auto alerting = started();
    alerting->take({sample_finding(1), sample_finding(2)});
    ASSERT_TRUE(receiver.wait_for_requests(1));
  }
  receiver.release();
  const std::size_t before = receiver.told().size();
  auto alerting = started();
  EXPECT_EQ(alerting->firing().size(), 2U);
  EXPECT_EQ(alerting->firing()[0].since_ns != 0, true);
  EXPECT_TRUE(alerting->flush(kLong));
  const Texts told = receiver.told();
  EXPECT_EQ(Texts(told.begin() + static_cast<std::ptrdiff_t>(before), told.end()),
            (Texts{fires(1), fires(2)}));
}

TEST_F(AlertingTest, ARestartOfTheHostResolvesWhatFired) {
  {
    auto alerting = started();
    alerting->take({sample_finding(1)});
    EXPECT_TRUE(alerting->flush(kLong));
  }
  boot = "boot-2";
  auto alerting = started();
  EXPECT_TRUE(alerting->firing().empty());
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(receiver.told(), (Texts{fires(1), is_over(1)}));
  EXPECT_TRUE(receiver.requests().back().body.contains("The host restarted"));
}

// The receiver has got the alerts and not said so when the program is killed: at least once means
// that they arrive again.
TEST_F(AlertingTest, ProgramKilledWhileItDeliversLosesNothing) {
  receiver.hold();
  int in[2];
  int out[2];
  ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::string url = receiver.url("/hook");
  std::vector<std::string> words = {
      MAPSCOPE_ALERT_DRIVER, config.database, boot, "webhook", url, "60"};
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  ASSERT_EQ(::posix_spawn(&pid, words[0].c_str(), &actions, nullptr, arguments.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  const std::string commands = "fire 1\nfire 2\nfire 3\nresolve 2\n";
  ASSERT_EQ(::write(in[1], commands.data(), commands.size()),
            static_cast<ssize_t>(commands.size()));
  std::string answers;
  for (char c = 0; std::ranges::count(answers, '\n') < 5 && ::read(out[0], &c, 1) == 1;)
    answers += c;
  EXPECT_EQ(answers, "firing 0\ntaken\ntaken\ntaken\ntaken\n");
  ASSERT_TRUE(receiver.wait_for_requests(1));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ::close(in[1]);
  ::close(out[0]);
  const std::size_t before = receiver.told().size();
  receiver.release();

  config.sinks[0].name = "driven";
  auto alerting = started();
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(alerting->firing().size(), 2U);
  Texts told = receiver.told();
  told.erase(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(before));
  EXPECT_EQ(told, (Texts{fires(1), fires(2), fires(3), is_over(2)}));
}

TEST_F(AlertingTest, WhileTheDiskIsFullAlertsAreDeliveredFromMemory) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", directory.path().c_str(), "tmpfs", 0, "size=512k") != 0)
    GTEST_SKIP() << "A small file system can't be mounted: " << std::strerror(errno);
  {
    auto alerting = started();
    const std::string ballast = directory / "ballast";
    {
      std::ofstream file(ballast);
      const std::string block(4096, 'x');
      while (file.write(block.data(), 4096).flush())
        continue;
    }
    receiver.answer_with(500);
    for (unsigned i = 1; i <= 40; ++i) // the log has some room of its own
      alerting->take({sample_finding(i)});
    ASSERT_GT(alerting->figures().kept_in_memory, 0U);
    EXPECT_NE(alerting->figures().database_problem, "");
    receiver.release();
    EXPECT_TRUE(alerting->flush(kLong));
    const Texts told = receiver.told();
    for (unsigned i = 1; i <= 40; ++i)
      EXPECT_GT(std::ranges::count(told, fires(i)), 0) << i;

    std::filesystem::remove(ballast);
    EXPECT_TRUE(wait_until([&] { return alerting->figures().kept_in_memory == 0; }));
    EXPECT_EQ(alerting->figures().database_problem, "");
  }
  {
    auto alerting = started();
    EXPECT_EQ(alerting->firing().size(), 40U);
    EXPECT_EQ(alerting->figures().sinks.at(0).pending, 0U);
  }
  ::umount2(directory.path().c_str(), MNT_DETACH);
}

TEST_F(AlertingTest, ADatabaseThatHasNoRoomAtTheStartIsMadeLater) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", directory.path().c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "A small file system can't be mounted: " << std::strerror(errno);
  {
    auto alerting = started();
    alerting->take({sample_finding(1)});
    EXPECT_TRUE(alerting->flush(kLong));
    EXPECT_EQ(alerting->figures().kept_in_memory, 1U);
    ASSERT_EQ(::mount("none", directory.path().c_str(), nullptr, MS_REMOUNT, "size=1m"), 0);
    EXPECT_TRUE(wait_until([&] { return alerting->figures().kept_in_memory == 0; }));
  }
  EXPECT_EQ(started()->firing().size(), 1U);
  ::umount2(directory.path().c_str(), MNT_DETACH);
}

TEST_F(AlertingTest, SilencedOnesAreListedAndToldWhenTheSilenceEnds) {
  config.silences = {{.match = {{"process", "serv*"}, {"team", "storage"}}}};
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_EQ(alerting->alerts().size(), 1U);
  EXPECT_TRUE(alerting->alerts()[0].is_silenced);
  EXPECT_EQ(alerting->figures().silenced, 1U);
  EXPECT_TRUE(alerting->flush(0ms));
  config.silences[0].until_wall_ns = now_ns(CLOCK_REALTIME) + 100'000'000;
  ASSERT_TRUE(alerting->reconfigure(config));
  EXPECT_TRUE(receiver.wait_for_requests(1));
  EXPECT_FALSE(alerting->alerts()[0].is_silenced);
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(receiver.told(), Texts{fires(1)});
}

TEST_F(AlertingTest, NewAlertsBeyondTheLimitOfTheirRuleAreKeptAndNotTold) {
  config.per_rule_per_hour = 2;
  auto alerting = started();
  alerting->take({sample_finding(1), sample_finding(2), sample_finding(3)});
  alerting->take({sample_finding(3, false), sample_finding(1, false)});
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(receiver.told(), (Texts{fires(1), fires(2), is_over(1)}));
  EXPECT_EQ(alerting->figures().rate_limited, 1U);
  EXPECT_EQ(alerting->alerts().size(), 3U);
}

TEST_F(AlertingTest, AReloadKeepsQueuesAndForgetsThoseOfRemovedSinks) {
  FakeReceiver other;
  receiver.answer_with(500);
  other.answer_with(500);
  config.sinks.push_back(webhook(other.url(), "other"));
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(receiver.wait_for_requests(1));
  ASSERT_TRUE(other.wait_for_requests(1));
  config.sinks.pop_back();
  ASSERT_TRUE(alerting->reconfigure(config));
  EXPECT_EQ(alerting->figures().sinks.size(), 1U);
  receiver.release();
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(receiver.told().back(), fires(1));

  AlertsConfig wrong = config;
  wrong.sinks.push_back({.name = "hook", .kind = FileSink{"/x"}});
  EXPECT_FALSE(alerting->reconfigure(wrong));
  wrong.sinks.back() = webhook("ftp://here", "ftp");
  EXPECT_FALSE(alerting->reconfigure(wrong));
  EXPECT_EQ(alerting->figures().sinks.size(), 1U);
  alerting->stop(0ms);
  // The removed sink's row left the database with it.
  config.sinks.push_back(webhook(other.url(), "other"));
  EXPECT_EQ(started()->figures().sinks.at(1).pending, 0U);
}

TEST_F(AlertingTest, AFullQueueDropsResolvedOnesFirstAndCountsThem) {
  receiver.answer_with(500);
  config.sinks[0].queue_max = 3;
  auto alerting = started();
  for (unsigned i = 1; i <= 3; ++i) {
    alerting->take({sample_finding(i)});
    alerting->take({sample_finding(i, false)});
  }
  EXPECT_EQ(alerting->figures().sinks.at(0).dropped, 3U);
  receiver.release();
  EXPECT_TRUE(alerting->flush(kLong));
  EXPECT_EQ(alerting->figures().sinks.at(0).delivered, 3U);
}

TEST_F(AlertingTest, AlertmanagerIsToldAgainWhatFires) {
  config.sinks = {
      {.name = "am",
       .kind = AlertmanagerSink{.endpoint = {.url = receiver.url("/am/")}, .resend = Seconds(1)},
       .retry_first = 10ms}};
  auto alerting = started();
  alerting->take({sample_finding(1)});
  ASSERT_TRUE(receiver.wait_for_requests(2));
  alerting->take({sample_finding(1, false)});
  EXPECT_TRUE(alerting->flush(kLong));
  const auto requests = receiver.requests();
  auto first = nlohmann::json::parse(requests[0].body).at(0);
  auto again = nlohmann::json::parse(requests[1].body).at(0);
  auto over = nlohmann::json::parse(requests.back().body).at(0);
  EXPECT_EQ(requests[0].path, "/am/api/v2/alerts");
  EXPECT_EQ(first.at("labels"), over.at("labels"));
  EXPECT_EQ(first.at("startsAt"), again.at("startsAt"));
  EXPECT_LT(first.at("endsAt"), again.at("endsAt"));
  EXPECT_GT(first.at("endsAt"), over.at("endsAt"));
  EXPECT_EQ(alerting->figures().sinks.at(0).delivered, 2U);
}

TEST_F(AlertingTest, WhatIsDamagedIsMovedAside) {
  std::filesystem::create_directories(directory / "state");
  std::ofstream(config.database) << std::string(5000, '?');
  auto alerting = started();
  EXPECT_TRUE(std::filesystem::exists(config.database + ".damaged-1"));
  alerting->take({sample_finding(1)});
  EXPECT_TRUE(alerting->flush(kLong));
}

TEST_F(AlertingTest, TwoCannotShareADatabase) {
  auto alerting = started();
  config.sinks.clear();
  auto second = Alerting::start(config, {.host = "here", .boot_id = boot});
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().message().contains("another process has it open"))
      << second.error().message();
}

} // namespace
} // namespace mapscope
