// Messages between parser and parent, honest and not.
#include "binary/parser_socket.h"

#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mapscope {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

AnswerTime in(std::chrono::milliseconds time) { return AnswerTime{time}; }

class WireTest : public ::testing::Test {
protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours_ = Fd{ends[0]};
    theirs_ = Fd{ends[1]};
  }

  Fd ours_, theirs_;
};

TEST_F(WireTest, ADocumentArrivesAsItWasSent) {
  const Json document{{"a", {1, -2, "three", nullptr, true, Json::object(), Json::array()}}};
  ASSERT_TRUE(send_message(ours_, document, in(1s)));
  EXPECT_EQ(receive_message(theirs_, in(1s)).value(), document);
}

TEST_F(WireTest, AMessageLargerThanTheSocketsBufferGoesThrough) {
  const Json document = Json::array({std::string(60'000, 'x')});
  Json large = Json::array();
  for (int i = 0; i < 100; ++i)
    large.push_back(document);
  std::thread sender{[&] { EXPECT_TRUE(send_message(ours_, large, in(10s))); }};
  EXPECT_EQ(receive_message(theirs_, in(10s)).value(), large);
  sender.join();
}

TEST(AnswerTimeTest, WhoGotNoProcessorIsNotLate) {
  EXPECT_EQ(time_left(10s, 4s, 4s), 6s);
  EXPECT_EQ(time_left(10s, 11s, 10s), 0s);
  EXPECT_EQ(time_left(10s, 11s, 3s), 7s);
  EXPECT_EQ(time_left(10s, 58s, 3s), 2s) << "who does not work may never answer";
  EXPECT_LE(time_left(10s, 60s, 0s), 0s);
  EXPECT_LE(time_left(0s, 0s, 0s), 0s);
}

TEST(AnswerTimeTest, WorkEndsIt) {
  const AnswerTime time{20ms, ::getpid()};
  while (time.left() > 0ms) {
  }
  EXPECT_GT(AnswerTime::unlimited().left(), 24h);
}

TEST_F(WireTest, SilenceEndsAtTheDeadline) {
  auto nothing = receive_message(theirs_, in(20ms));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), Errc::unsupported);
}

TEST_F(WireTest, AClosedEndIsGone) {
  ours_.reset();
  EXPECT_EQ(receive_message(theirs_, in(1s)).error().code(), Errc::gone);
  EXPECT_EQ(send_message(theirs_, Json{}, in(1s)).error().code(), Errc::gone);
}

TEST_F(WireTest, AnExcessiveLengthIsRefusedBeforeItIsAllocated) {
  const std::uint32_t length = ~0U;
  ASSERT_EQ(::send(ours_.get(), &length, sizeof(length), 0), 4);
  EXPECT_EQ(receive_message(theirs_, in(1s)).error().code(), Errc::malformed);
}

} // namespace
} // namespace mapscope
