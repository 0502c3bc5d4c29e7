// The door for bytes from outside must not open further than the bytes reach.
#include "base/byte_reader.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

ByteReader reader_of(std::string_view text) {
  return ByteReader{std::as_bytes(std::span{text.data(), text.size()})};
}

TEST(ByteReaderTest, RefusesAWindowWhoseEndWraps) {
  auto window = reader_of("12345678").window(4, std::numeric_limits<std::uint64_t>::max());
  ASSERT_FALSE(window);
  EXPECT_EQ(window.error().code(), Errc::malformed);
  EXPECT_EQ(window.error().message(), "[0x4, +0xffffffffffffffff) is outside 0x8 bytes");
}

TEST(ByteReaderTest, TakesAnEmptyWindowAtTheEnd) {
  EXPECT_TRUE(reader_of("1234").window(4, 0));
  EXPECT_FALSE(reader_of("1234").window(5, 0));
}

TEST(ByteReaderTest, ReadsLittleEndianAndMovesOn) {
  ByteReader reader = reader_of({"\x01\x02\x03\x04\x05", 5});
  EXPECT_EQ(reader.read<std::uint32_t>().value(), 0x04030201U);
  EXPECT_EQ(reader.size(), 1U);
  EXPECT_FALSE(reader.read<std::uint16_t>());
}

TEST(ByteReaderTest, RefusesAStringThatDoesNotEnd) {
  EXPECT_EQ(reader_of({"abc\0d", 5}).string_at(0).value(), "abc");
  EXPECT_FALSE(reader_of({"abc\0d", 5}).string_at(4));
  EXPECT_FALSE(reader_of({"abc\0d", 5}).string_at(0, 2));
  EXPECT_EQ(reader_of({"abc\0d", 5}).string_at(0, 3).value(), "abc");
}

TEST(ByteReaderTest, ReadsVariableLengthIntegers) {
  EXPECT_EQ(reader_of({"\xac\x02", 2}).read_uvarint().value(), 300U);
  EXPECT_FALSE(reader_of({"\xff\xff", 2}).read_uvarint());
  EXPECT_FALSE(reader_of({"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}).read_uvarint());
}

} // namespace
} // namespace mapscope
