// MessagePack that means well, and some that does not.
#include "wire/message.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using Json = nlohmann::json;

Result<Json> decode(const std::vector<std::uint8_t> &bytes, const WireLimits &limits = {}) {
  return decode_message(std::as_bytes(std::span{bytes}), limits);
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

TEST(DecodeMessageTest, ByteStringsAreForThoseWhoAskForThem) {
  const WireLimits limits{.byte_string_bytes = 2};
  EXPECT_TRUE(decode({0xc4, 0x02, 0x00, 0x01}, limits));
  EXPECT_FALSE(decode({0xc4, 0x03, 0x00, 0x01, 0x02}, limits));
  EXPECT_FALSE(decode({0xd5, 0x07, 0x00, 0x01}, limits)); // of an application's own type
}

TEST(DecodeMessageTest, CutAndTrailingBytesAreRefused) {
  EXPECT_FALSE(decode({}));
  EXPECT_FALSE(decode({0x92, 0x01}));
  EXPECT_FALSE(decode({0x01, 0x01}));
  EXPECT_FALSE(decode({0xdd, 0xff, 0xff, 0xff, 0xff})); // an array of four thousand million
}

} // namespace
} // namespace mapscope
