// Clients that send garbage, half of something, or nothing at all: each is told so or dropped, and
// others are served meanwhile.
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>

#include <gtest/gtest.h>

#include "serve/api_server.h"
#include "serve/connections.h"
#include "serve/listener.h"
#include "unit/serve/fake_daemon.h"
#include "unit/serve/http_client.h"

namespace mapscope {
namespace {

class HostileClientTest : public ::testing::Test {
protected:
  void SetUp() override {
    auto started = ApiServer::start({.address = "127.0.0.1:0", .socket = ""}, daemon);
    ASSERT_TRUE(started) << started.error().message();
    server = *std::move(started);
  }
  void TearDown() override { EXPECT_EQ(status_of(get(server->address(), "/healthz")), 200); }
  std::string send(std::string_view request) { return ask(server->address(), request); }

  FakeDaemon daemon;
  std::unique_ptr<ApiServer> server;
};

TEST_F(HostileClientTest, MayChangeNothing) {
  for (auto method : {"PUT", "POST", "DELETE", "PATCH", "OPTIONS"}) {
    const std::string answer = send(fmt::format(
        "{} /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody", method));
    EXPECT_EQ(status_of(answer), 405) << answer;
    EXPECT_NE(answer.find("Allow: GET, HEAD"), answer.npos) << answer;
  }
}

TEST_F(HostileClientTest, IsToldThatGarbageIsNoRequest) {
  for (std::string_view garbage :
       {std::string_view{"\r\n\r\n"}, std::string_view{"GET\r\n\r\n"},
        std::string_view{"GET / HTTP/9.9\r\n\r\n"}, std::string_view{"\0\0\0\0\r\n\r\n", 8},
        std::string_view{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15},
        std::string_view{"GET / / / HTTP/1.1\r\n\r\n"},
        std::string_view{"NONSENSE / HTTP/1.1\r\n\r\n"}}) {
    const std::string answer = send(garbage);
    EXPECT_EQ(status_of(answer), 400) << garbage << " gave " << answer;
  }
}

TEST_F(HostileClientTest, FindsNoFiles) {
  for (auto path : {"/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "//etc/passwd",
                    "/api/v1/processes/../../../etc/passwd", "/%00", "/%zz", "/metrics%00"})
    EXPECT_EQ(status_of(get(server->address(), path)), 404) << path;
}

TEST_F(HostileClientTest, IsRefusedALongHead) {
  const std::string header = "X-Long: " + std::string(1 << 20, 'x');
  EXPECT_EQ(status_of(send("GET / HTTP/1.1\r\n" + header)), 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 2000; ++i)
    many += "X-Header: value\r\n";
  EXPECT_EQ(status_of(send(many + "\r\n")), 431);
  EXPECT_EQ(status_of(get(server->address(), "/" + std::string(10'000, 'a'))), 414);
  EXPECT_EQ(status_of(get(server->address(), "/" + std::string(8'000, '.'))), 404);
  EXPECT_EQ(status_of(get(server->address(), "/?" + std::string(4'000, '&'))), 200);
}

TEST_F(HostileClientTest, DoesNotGetPartsOfBodies) {
  const std::string answer = get(server->address(), "/healthz", "Range: bytes=0-0,1-1,0-0\r\n");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_EQ(body_of(answer), "ok\n");
}

TEST_F(HostileClientTest, GetsOneAnswerAConnection) {
  const std::string one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string answer = send(one + one);
  EXPECT_EQ(body_of(answer), "ok\n");
  EXPECT_NE(answer.find("Connection: close"), answer.npos);
}

TEST_F(HostileClientTest, MayNotAskThroughANameOfItsOwn) {
  const auto status = [&](std::string_view host) {
    return status_of(send(fmt::format("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", host)));
  };
  EXPECT_EQ(status("rebound.example"), 403);
  EXPECT_EQ(status("rebound.example:9435"), 403);
  EXPECT_EQ(status("127.0.0.1.rebound.example"), 403);
  EXPECT_EQ(status("[::2]:80"), 403);
  EXPECT_EQ(status("localhost:9435"), 200);
  EXPECT_EQ(status("LocalHost"), 200);
  EXPECT_EQ(status("127.0.0.1"), 200);
  EXPECT_EQ(status("[::1]:9435"), 200);
  EXPECT_EQ(status(server->address()), 200);
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR *directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr)
    ++count;
  ::closedir(directory);
  return count;
}

TEST_F(HostileClientTest, LeavesNoDescriptorsBehind) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    const Fd socket = connect_to(server->address());
    send_bytes(socket, i % 2 == 0 ? "GET / HTTP/1.1\r\n\r\n" : "GET /");
  }
  server->stop();
  EXPECT_LE(open_descriptors(), before);
  SetUp();
}

// The loop by itself, with limits that a test reaches.
class ConnectionLoopTest : public ::testing::Test {
protected:
  void start(ConnectionLimits limits, ConnectionLoop::Answer answer) {
    auto listener = listen_tcp("127.0.0.1:0");
    ASSERT_TRUE(listener);
    tcp = *std::move(listener);
    auto started =
        ConnectionLoop::start({{&tcp.socket, Transport::tcp}}, std::move(answer), limits);
    ASSERT_TRUE(started);
    loop = *std::move(started);
  }

  TcpListener tcp;
  std::unique_ptr<ConnectionLoop> loop;
};

TEST_F(ConnectionLoopTest, TellsWhoSendsHalfARequestAndDropsWhoSendsNothing) {
  start({.request_timeout = std::chrono::milliseconds{20}},
        [](Transport, std::string_view) { return std::string{}; });
  EXPECT_EQ(status_of(ask(tcp.address, "GET / HT")), 408);
  EXPECT_EQ(ask(tcp.address, ""), "");
}

TEST_F(ConnectionLoopTest, DropsWhoDoesNotReadAnAnswer) {
  const std::string large(32 << 20, 'x'); // more than a socket holds
  start({.answer_timeout = std::chrono::milliseconds{20}},
        [&](Transport, std::string_view) { return large; });
  const Fd socket = connect_to(tcp.address);
  send_bytes(socket, "GET / HTTP/1.1\r\n\r\n");
  // Readable to its end is what was in flight, once the server has closed.
  while (::send(socket.get(), "x", 1, MSG_NOSIGNAL) == 1)
    std::this_thread::yield();
  EXPECT_LT(read_to_end(socket).size(), large.size());
}

constexpr std::chrono::hours kNever{1};

TEST_F(ConnectionLoopTest, LetsNobodyBeStoppedBySilence) {
  start({.connections_max = 8, .request_timeout = kNever},
        [](Transport, std::string_view) { return std::string{"answered"}; });
  std::vector<Fd> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(connect_to(tcp.address));
    if (i % 2 == 0)
      send_bytes(silent.back(), "GET /metr");
  }
  EXPECT_EQ(ask(tcp.address, "GET / HTTP/1.1\r\n\r\n"), "answered");
  EXPECT_EQ(read_to_end(silent.front()), "") << "the oldest had to go";
}

TEST_F(ConnectionLoopTest, HoldsNoMoreThanItsShareOfAnswersThatNobodyReads) {
  start({.waiting_bytes_max = 1 << 20, .answer_timeout = kNever},
        [](Transport, std::string_view request) {
          return request.starts_with("GET /large") ? std::string(32 << 20, 'x') : "answered";
        });
  std::vector<Fd> deaf;
  for (int i = 0; i < 5; ++i) {
    deaf.push_back(connect_to(tcp.address));
    send_bytes(deaf.back(), "GET /large HTTP/1.1\r\n\r\n");
  }
  EXPECT_EQ(ask(tcp.address, "GET / HTTP/1.1\r\n\r\n"), "answered");
  EXPECT_LT(read_to_end(deaf.front()).size(), 32U << 20);
}

TEST_F(ConnectionLoopTest, KeepsAnAnswerHoweverLargeWhileItIsRead) {
  const std::string large(32 << 20, 'x');
  start({}, [&](Transport, std::string_view) { return large; });
  EXPECT_EQ(ask(tcp.address, "GET / HTTP/1.1\r\n\r\n").size(), large.size());
}

TEST_F(ConnectionLoopTest, AnswersWhatItHasBegunWhenItStops) {
  std::atomic<int> asked = 0;
  std::atomic<bool> go_on = false;
  start({}, [&](Transport, std::string_view) {
    ++asked;
    go_on.wait(false);
    return std::string{"answered"};
  });
  const Fd socket = connect_to(tcp.address);
  send_bytes(socket, "GET / HTTP/1.1\r\n\r\n");
  while (asked == 0)
    std::this_thread::yield();
  std::thread stopper{[&] { loop->stop(std::chrono::seconds{60}); }};
  go_on = true;
  go_on.notify_all();
  EXPECT_EQ(read_to_end(socket), "answered");
  stopper.join();
}

TEST_F(ConnectionLoopTest, CutsOffWhatDoesNotEndWhenItStops) {
  start({}, [](Transport, std::string_view) { return std::string(32 << 20, 'x'); });
  const Fd socket = connect_to(tcp.address);
  send_bytes(socket, "GET / HTTP/1.1\r\n\r\n");
  char byte = 0;
  ASSERT_EQ(::recv(socket.get(), &byte, 1, 0), 1);
  loop->stop(std::chrono::milliseconds{1}); // returns
  EXPECT_LT(read_to_end(socket).size(), 32U << 20);
}

} // namespace
} // namespace mapscope
