// Messages between parser and parent, honest and not.
#include "binary/wire.h"

#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace mapscope {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

Deadline in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

Result<Json> decode(const std::vector<std::uint8_t> &bytes, const WireLimits &limits = {}) {
  return decode_message(std::as_bytes(std::span{bytes}), limits);
}

class WireTest : public testing::Test {
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

TEST(DecodeMessageTest, DeepNestingStopsAtTheLimit) {
  const std::vector<std::uint8_t> arrays(1'000'000, 0x91); // each an array of one
  EXPECT_EQ(decode(arrays).error().message(), "values nested too deep");
  const std::vector<std::uint8_t> within = {0x91, 0x91, 0x01};
  EXPECT_EQ(decode(within, {.depth = 2}).value(), Json::parse("[[1]]"));
  EXPECT_FALSE(decode(within, {.depth = 1}));
}

TEST(DecodeMessageTest, MoreValuesThanAllowedAreRefused) {
  EXPECT_TRUE(decode({0x92, 0x01, 0x02}, {.value_count = 3}));
  EXPECT_EQ(decode({0x92, 0x01, 0x02}, {.value_count = 2}).error().message(), "too many values");
}

TEST(DecodeMessageTest, LongTextsKeysBytesAndFractionsAreRefused) {
  const WireLimits limits{.text_bytes = 2};
  EXPECT_TRUE(decode({0xa2, 'a', 'b'}, limits));
  EXPECT_FALSE(decode({0xa3, 'a', 'b', 'c'}, limits));
  EXPECT_FALSE(decode({0x81, 0xa3, 'a', 'b', 'c', 0x01}, limits));
  EXPECT_FALSE(decode({0xc4, 0x01, 0x00}));             // a byte string
  EXPECT_FALSE(decode({0xca, 0x3f, 0x80, 0x00, 0x00})); // 1.0
}

TEST(DecodeMessageTest, CutAndTrailingBytesAreRefused) {
  EXPECT_FALSE(decode({}));
  EXPECT_FALSE(decode({0x92, 0x01}));
  EXPECT_FALSE(decode({0x01, 0x01}));
  EXPECT_FALSE(decode({0xdd, 0xff, 0xff, 0xff, 0xff})); // an array of four thousand million
}

TEST(FramesJsonTest, FramesComeBackAndOddOnesAreRefused) {
  const std::vector<SourceFrames> frames = {{{"main.a", "/a.go", 3, true}, {"main.b", "/b.go", 4}},
                                            {}};
  const Json json = frames_to_json(frames);
  EXPECT_EQ(frames_from_json(json).value(), frames);
  for (const char *odd :
       {"1", "[1]", "[[1]]", R"([[["f","x",-1,false]]])", R"([[["f","x",1]]])",
        R"([[["f",1,1,false]]])", R"([[["f","x",4294967296,false]]])", R"([[["f","x",1,0]]])"})
    EXPECT_FALSE(frames_from_json(Json::parse(odd))) << odd;
  EXPECT_EQ(frames_from_json(Json::parse(R"([[["a\u001bb","x",1,false]]])")).value()[0][0].function,
            "a?b");
}

TEST(ErrorJsonTest, ErrorsKeepTheirCodeAndSentence) {
  const Error back = error_from_json(error_to_json(Error{Errc::denied, "no"}));
  EXPECT_EQ(back.code(), Errc::denied);
  EXPECT_EQ(back.message(), "no");
  EXPECT_EQ(error_from_json(Json::array({99, "no"})).code(), Errc::malformed);
  EXPECT_EQ(error_from_json(Json{}).code(), Errc::malformed);
}

} // namespace
} // namespace mapscope
