// The socket in the file system: whose it is, what a dead daemon left there, and asking through it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "serve/api_server.h"
#include "serve/listener.h"
#include "unit/serve/fake_daemon.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

class UnixSocketTest : public ::testing::Test {
protected:
  UnixSocketTest() {
    std::string pattern = fs::temp_directory_path() / "mapscope-test-XXXXXX";
    directory = ::mkdtemp(pattern.data());
    path = directory / "run" / "mapscope.sock";
  }
  ~UnixSocketTest() override { fs::remove_all(directory); }

  Result<std::unique_ptr<ApiServer>> start() {
    return ApiServer::start({.address = "", .socket = path}, daemon);
  }

  FakeDaemon daemon;
  fs::path directory, path;
};

TEST_F(UnixSocketTest, AnswersThroughIt) {
  const auto server = start();
  ASSERT_TRUE(server) << server.error().message();
  EXPECT_EQ((*server)->address(), "");
  struct stat status{};
  ASSERT_EQ(::lstat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
  const auto answer = ask_daemon(path, "/api/v1/status");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_TRUE(answer->starts_with("{\"schema\":\"mapscope.status/1\"")) << *answer;
}

TEST_F(UnixSocketTest, SaysWhatTheServerRefused) {
  const auto server = start();
  ASSERT_TRUE(server);
  const auto answer = ask_daemon(path, "/api/v1/processes/77");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::malformed);
  EXPECT_NE(answer.error().message().find("404: process 77 is not watched"), std::string::npos)
      << answer.error().message();
}

TEST_F(UnixSocketTest, IsRemovedAtTheEnd) {
  auto server = start();
  ASSERT_TRUE(server);
  (*server)->stop();
  EXPECT_FALSE(fs::exists(path));
  const auto answer = ask_daemon(path, "/healthz");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::not_found);
}

TEST_F(UnixSocketTest, LeavesTheSocketOfItsSuccessor) {
  auto first = start();
  ASSERT_TRUE(first);
  fs::remove(path);
  const auto second = start();
  ASSERT_TRUE(second);
  (*first)->stop();
  EXPECT_TRUE(ask_daemon(path, "/healthz"));
}

TEST_F(UnixSocketTest, ReplacesWhatADeadDaemonLeft) {
  fs::create_directories(path.parent_path());
  {
    const Fd dead{::socket(AF_UNIX, SOCK_STREAM, 0)};
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
  }
  ASSERT_TRUE(fs::exists(path));
  const auto server = start();
  ASSERT_TRUE(server) << server.error().message();
  EXPECT_TRUE(ask_daemon(path, "/healthz"));
}

TEST_F(UnixSocketTest, DoesNotTakeItFromALivingDaemon) {
  const auto living = start();
  ASSERT_TRUE(living);
  const auto second = start();
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find(fmt::format("another daemon (process {})", ::getpid())),
            std::string::npos)
      << second.error().message();
  EXPECT_TRUE(ask_daemon(path, "/healthz"));
}

TEST_F(UnixSocketTest, DoesNotRemoveWhatIsNoSocket) {
  fs::create_directories(path.parent_path());
  std::ofstream{path} << "precious";
  const auto server = start();
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), Errc::usage);
  EXPECT_EQ(fs::file_size(path), 8u);
}

TEST_F(UnixSocketTest, RefusesPathsThatNoSocketCanHave) {
  path = directory / std::string(200, 'x');
  const auto server = start();
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), Errc::usage);
}

TEST_F(UnixSocketTest, SaysThatNobodyIsThere) {
  const auto answer = ask_daemon(path, "/healthz");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::not_found);
  EXPECT_NE(answer.error().message().find("no daemon listens at"), std::string::npos);
}

} // namespace
} // namespace mapscope
