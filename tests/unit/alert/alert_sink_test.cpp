// Each kind of receiver: what it is sent, and what its answers mean.
#include "alert/alert_sink.h"

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/handle.h"
#include "support/file_content.h"
#include "unit/alert/alert_samples.h"
#include "unit/alert/fake_receiver.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

AlertNotice notice_of(unsigned number, bool is_firing = true) {
  AlertNotice notice{.alert = {.finding = sample_finding(number, is_firing),
                               .host = "here",
                               .since_wall_ns = 1'700'000'000'000'000'000}};
  notice.labels = alert_labels(notice.alert.finding, "here", {});
  return notice;
}

std::unique_ptr<AlertSink> sink_of(auto kind) {
  auto sink = make_alert_sink({.name = "s", .kind = kind}, "here");
  if (!sink)
    throw std::runtime_error(sink.error().message());
  return *std::move(sink);
}

AlertDelivery deliver(AlertSink &sink, unsigned number = 1) {
  const AlertNotice notice = notice_of(number);
  return sink.deliver({&notice, 1});
}

struct AlertSinkTest : ::testing::Test {
  ScratchDirectory directory;
  std::string write(std::string_view name, std::string_view text, mode_t mode = 0600) {
    std::string path = directory / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
};

// --- HTTP

struct HttpSinkTest : AlertSinkTest {
  FakeReceiver receiver;
};

TEST_F(HttpSinkTest, SendsWhatIsConfigured) {
  auto sink = sink_of(WebhookSink{{.url = receiver.url("/a%20b?key=1#x"),
                                   .headers = {{"X-Team", "storage"}, {"User-Agent", "other"}},
                                   .username = "me",
                                   .password_file = write("password", "secret\n")}});
  EXPECT_EQ(deliver(*sink).problem, "");
  const httplib::Request request = receiver.requests().at(0);
  EXPECT_EQ(request.target, "/a%20b?key=1");
  EXPECT_EQ(request.get_header_value("X-Team"), "storage");
  EXPECT_EQ(request.get_header_value("User-Agent"), "other");
  EXPECT_EQ(request.get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(request.get_header_value("Authorization"), "Basic bWU6c2VjcmV0");
}

TEST_F(HttpSinkTest, ReadsTheTokenEachTime) {
  const std::string path = write("token", "one");
  auto sink = sink_of(WebhookSink{{.url = receiver.url(), .bearer_token_file = path}});
  deliver(*sink);
  write("token", "two\n");
  deliver(*sink);
  EXPECT_EQ(receiver.requests().at(0).get_header_value("Authorization"), "Bearer one");
  EXPECT_EQ(receiver.requests().at(1).get_header_value("Authorization"), "Bearer two");
  std::filesystem::remove(path);
  const AlertDelivery delivery = deliver(*sink);
  EXPECT_EQ(delivery.outcome, DeliveryOutcome::try_later);
  EXPECT_TRUE(delivery.problem.contains(path)) << delivery.problem;
  EXPECT_EQ(receiver.requests().size(), 2U);
}

TEST_F(HttpSinkTest, AStatusTellsWhoseFaultItIs) {
  auto sink = sink_of(WebhookSink{{.url = receiver.url()}});
  for (int status : {200, 202, 204}) {
    receiver.answer_with(status);
    EXPECT_EQ(deliver(*sink).outcome, DeliveryOutcome::accepted) << status;
  }
  for (int status : {301, 307, 401, 403, 404, 408, 429, 500, 502, 503}) {
    receiver.answer_with(status);
    EXPECT_EQ(deliver(*sink).outcome, DeliveryOutcome::try_later) << status;
  }
  for (int status : {400, 413, 422}) {
    receiver.answer_with(status);
    EXPECT_EQ(deliver(*sink).outcome, DeliveryOutcome::refused) << status;
  }
}

TEST_F(HttpSinkTest, GoesNowhereElse) {
  FakeReceiver other;
  receiver.answer_with([&](const httplib::Request &, httplib::Response &response) {
    response.set_redirect(other.url(), 307);
  });
  auto sink = sink_of(WebhookSink{{.url = receiver.url()}});
  EXPECT_EQ(deliver(*sink).outcome, DeliveryOutcome::try_later);
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(HttpSinkTest, HearsWhenToComeBack) {
  std::string when = "7";
  receiver.answer_with([&](const httplib::Request &, httplib::Response &response) {
    response.status = 429;
    response.set_header("Retry-After", when);
  });
  auto sink = sink_of(WebhookSink{{.url = receiver.url()}});
  EXPECT_EQ(deliver(*sink).not_before, 7s);
  when = "Wed, 21 Oct 2015 07:28:00 GMT"; // long past
  EXPECT_EQ(deliver(*sink).not_before, 0s);
  when = "Wed, 21 Oct 2099 07:28:00 GMT";
  EXPECT_GT(deliver(*sink).not_before, 1000h);
  for (std::string wrong : {"soon", "-1", "99999999999999999999", ""}) {
    when = wrong;
    EXPECT_EQ(deliver(*sink).not_before, std::nullopt) << wrong;
  }
}

TEST_F(HttpSinkTest, AnEndlessAnswerEnds) {
  receiver.answer_with([](const httplib::Request &, httplib::Response &response) {
    response.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink &out) {
      const std::string part(1 << 16, 'x');
      return out.write(part.data(), part.size());
    });
  });
  auto sink = sink_of(WebhookSink{{.url = receiver.url()}});
  EXPECT_EQ(deliver(*sink).outcome, DeliveryOutcome::accepted);
}

TEST_F(HttpSinkTest, WhatIsNoHttpIsNoAnswer) {
  // Says something else than HTTP to whoever connects.
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr *>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr *>(&address), &size), 0);
  std::thread babbler([&] {
    Fd connection(::accept(listener.get(), nullptr, nullptr));
    const std::string babble = "what?\r\n\r\n\xff\xfe";
    (void)!::write(connection.get(), babble.data(), babble.size());
  });
  auto sink =
      sink_of(WebhookSink{{.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port))}});
  EXPECT_EQ(deliver(*sink).outcome, DeliveryOutcome::try_later);
  babbler.join();
}

TEST_F(HttpSinkTest, CutOffEndsWhatIsUnderWay) {
  receiver.hold();
  auto sink = sink_of(WebhookSink{{.url = receiver.url(), .timeout = 1h}});
  AlertDelivery delivery;
  std::thread deliverer([&] { delivery = deliver(*sink); });
  EXPECT_TRUE(receiver.wait_for_requests(1));
  sink->cut_off();
  deliverer.join();
  EXPECT_EQ(delivery.outcome, DeliveryOutcome::try_later);
  receiver.release();
  EXPECT_TRUE(deliver(*sink).problem.contains("stopped"));
}

TEST_F(HttpSinkTest, AWrongConfigurationIsSaid) {
  for (const char *url : {"", "here", "ftp://here", "http://", "https:///x", "http://me:x@here"}) {
    auto sink = make_alert_sink({.name = "s", .kind = WebhookSink{{.url = url}}}, "here");
    ASSERT_FALSE(sink) << url;
    EXPECT_EQ(sink.error().code(), Errc::usage);
    EXPECT_FALSE(sink.error().message().contains("me:x")) << sink.error().message();
  }
}

// Certificates of a CA of our own, by the openssl command.
struct TlsSinkTest : AlertSinkTest {
  void SetUp() override {
    const std::string script =
        "cd " + directory.path().string() +
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
        "-out ca.pem -days 2"
        " -subj /CN=ca"
        " && for n in server client; do openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        "-nodes -keyout $n.key"
        " -out $n.csr -subj /CN=$n && printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' > ext &&"
        " openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
        " -extfile ext -out $n.pem; done";
    if (std::system(("(" + script + ") > /dev/null 2>&1").c_str()) != 0)
      GTEST_SKIP() << "The openssl command, which makes certificates, is not there.";
  }
  HttpEndpoint endpoint(const FakeReceiver &receiver) const {
    return {.url = "https://127.0.0.1:" + std::to_string(receiver.port())};
  }
};

TEST_F(TlsSinkTest, TrustsWhatItIsToldToTrust) {
  FakeReceiver receiver(std::make_unique<httplib::SSLServer>((directory / "server.pem").c_str(),
                                                             (directory / "server.key").c_str()));
  HttpEndpoint endpoint = this->endpoint(receiver);
  const AlertDelivery distrusted = deliver(*sink_of(WebhookSink{endpoint}));
  EXPECT_EQ(distrusted.outcome, DeliveryOutcome::try_later);
  EXPECT_TRUE(distrusted.problem.contains("certificate")) << distrusted.problem;
  endpoint.ca_file = directory / "ca.pem";
  EXPECT_EQ(deliver(*sink_of(WebhookSink{endpoint})).problem, "");
  endpoint.ca_file = directory / "none.pem";
  EXPECT_TRUE(deliver(*sink_of(WebhookSink{endpoint})).problem.contains("none.pem"));
  EXPECT_EQ(receiver.requests().size(), 1U);
}

TEST_F(TlsSinkTest, ShowsItsOwnCertificate) {
  FakeReceiver receiver(std::make_unique<httplib::SSLServer>((directory / "server.pem").c_str(),
                                                             (directory / "server.key").c_str(),
                                                             (directory / "ca.pem").c_str()));
  HttpEndpoint endpoint = this->endpoint(receiver);
  endpoint.ca_file = directory / "ca.pem";
  EXPECT_EQ(deliver(*sink_of(WebhookSink{endpoint})).outcome, DeliveryOutcome::try_later);
  endpoint.certificate_file = directory / "client.pem";
  endpoint.key_file = directory / "client.key";
  EXPECT_EQ(deliver(*sink_of(WebhookSink{endpoint})).problem, "");
}

// --- file

using FileSinkTest = AlertSinkTest;

TEST_F(FileSinkTest, AppendsALineForEachAndFollowsRotation) {
  const std::string path = write("alerts.jsonl", "before\n");
  auto sink = sink_of(FileSink{path});
  const std::vector<AlertNotice> notices = {notice_of(1), notice_of(2, false)};
  EXPECT_EQ(sink->deliver(notices).problem, "");
  std::filesystem::rename(path, path + ".1");
  EXPECT_EQ(deliver(*sink, 3).problem, "");
  const std::string old = testing::file_text(path + ".1");
  EXPECT_EQ(std::ranges::count(old, '\n'), 3);
  EXPECT_TRUE(old.starts_with("before\n{"));
  const std::string line = testing::file_text(path);
  EXPECT_EQ(nlohmann::json::parse(line)["alerts"][0]["fingerprint"], sample_fingerprint(3));
}

TEST_F(FileSinkTest, FailuresAreTriedAgain) {
  EXPECT_EQ(deliver(*sink_of(FileSink{directory / "no/such/directory"})).outcome,
            DeliveryOutcome::try_later);
  const AlertDelivery full = deliver(*sink_of(FileSink{"/dev/full"}));
  EXPECT_EQ(full.outcome, DeliveryOutcome::try_later);
  EXPECT_TRUE(full.problem.contains("/dev/full: write: No space")) << full.problem;
  // A pipe that nobody reads must not hang.
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(deliver(*sink_of(FileSink{pipe})).outcome, DeliveryOutcome::try_later);
}

// --- command

class CommandSinkTest : public AlertSinkTest {
protected:
  // As the program does; a command may end before it has read what it is given.
  static void SetUpTestSuite() { ::signal(SIGPIPE, SIG_IGN); }
};

CommandSink shell(std::string script, Milliseconds timeout = 60s) {
  return {.command = {"/bin/sh", "-c", std::move(script)}, .timeout = timeout};
}

TEST_F(CommandSinkTest, GetsTheDocumentAndWhatItIsAbout) {
  const std::string out = directory / "out";
  auto sink = sink_of(shell("cat > " + out +
                            "; echo \"$MAPSCOPE_RULE $MAPSCOPE_STATE "
                            "$MAPSCOPE_PID $MAPSCOPE_FINGERPRINT\" > " +
                            out + ".env; ls -l /proc/self/fd > " + out + ".fds"));
  Fd leak(::open("/dev/null", O_RDONLY)); // not close-on-exec
  EXPECT_EQ(deliver(*sink).problem, "");
  EXPECT_EQ(nlohmann::json::parse(testing::file_text(out))["schema"], "mapscope.alerts/1");
  EXPECT_EQ(testing::file_text(out + ".env"), "waste firing 42 " + sample_fingerprint(1) + "\n");
  EXPECT_FALSE(testing::file_text(out + ".fds").contains("/dev/null"))
      << testing::file_text(out + ".fds");
}

TEST_F(CommandSinkTest, AFailureHasItsLastWords) {
  AlertDelivery delivery = deliver(*sink_of(shell("echo no line >&2; exit 3")));
  EXPECT_EQ(delivery.outcome, DeliveryOutcome::try_later);
  EXPECT_TRUE(delivery.problem.contains("status 3, and said: no line")) << delivery.problem;
  EXPECT_TRUE(deliver(*sink_of(shell("kill -9 $$"))).problem.contains("signal 9"));
  delivery = deliver(*sink_of(CommandSink{.command = {directory / "none"}}));
  EXPECT_TRUE(delivery.problem.contains("No such file")) << delivery.problem;
}

TEST_F(CommandSinkTest, MuchOutputIsReadAndNotKept) {
  const AlertDelivery delivery =
      deliver(*sink_of(shell("head -c 3000000 /dev/zero; echo end >&2; exit 1")));
  EXPECT_TRUE(delivery.problem.contains("status 1"));
  EXPECT_LT(delivery.problem.size(), 1000U);
}

TEST_F(CommandSinkTest, OneThatHangsIsKilledWithItsChildren) {
  const std::string pids = directory / "pids";
  auto sink = sink_of(shell("sleep 1000 & echo $! > " + pids + "; wait", 300ms));
  const AlertDelivery delivery = deliver(*sink);
  EXPECT_TRUE(delivery.problem.contains("killed")) << delivery.problem;
  const int child = std::atoi(testing::file_text(pids).c_str());
  ASSERT_GT(child, 0);
  // Gone, or a zombie that its new parent has not reaped.
  auto is_gone = [child] {
    const std::string stat = testing::file_text("/proc/" + std::to_string(child) + "/stat");
    return stat.empty() || stat.contains(") Z ");
  };
  for (int i = 0; i < 1000 && !is_gone(); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(is_gone());
}

TEST_F(CommandSinkTest, CutOffEndsIt) {
  auto sink = sink_of(shell("sleep 1000", 1h));
  sink->cut_off();
  EXPECT_TRUE(deliver(*sink).problem.contains("stopped"));
}

TEST_F(CommandSinkTest, ABackgroundProcessHoldsUpNothing) {
  EXPECT_EQ(deliver(*sink_of(shell("sleep 5 & exit 0", 1h))).problem, "");
}

} // namespace
} // namespace mapscope
