// Whatever goes in comes out, and nothing that comes from elsewhere is believed.
#include "recording/record_coder.h"

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

// One chunk.
struct Coded {
  std::vector<Bytes> controls; // of each record
  Bytes words;

  std::size_t size_bytes() const {
    std::size_t sum = words.size();
    for (const Bytes &bytes : controls)
      sum += bytes.size();
    return sum;
  }
};

Coded encode(RecordEncoder &encoder, const std::vector<Bytes> &records) {
  Coded coded;
  encoder.reset();
  for (const Bytes &record : records) {
    const std::size_t words_before = coded.words.size();
    EXPECT_TRUE(RecordEncoder::can_encode(record));
    encoder.encode(record, coded.controls.emplace_back(), coded.words);
    EXPECT_EQ(coded.controls.back().size(), RecordEncoder::control_bytes(record));
    EXPECT_LE(coded.words.size() - words_before, RecordEncoder::word_bytes_max(record));
  }
  return coded;
}

Coded encode(const std::vector<Bytes> &records) {
  RecordEncoder encoder;
  return encode(encoder, records);
}

void expect_same(RecordDecoder &decoder, const Coded &coded, const std::vector<Bytes> &records) {
  decoder.reset(coded.words);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto decoded = decoder.decode(ByteReader{coded.controls[i]});
    ASSERT_TRUE(decoded) << decoded.error().message();
    ASSERT_EQ(Bytes(decoded->begin(), decoded->end()), records[i]) << "record " << i;
  }
  EXPECT_EQ(decoder.unused_bytes(), 0u);
}

Bytes record_of(std::size_t size_bytes, std::uint16_t kind) {
  Bytes record(size_bytes);
  std::memcpy(record.data() + offsetof(event_header, kind), &kind, sizeof(kind));
  return record;
}

// Some bytes of the one before changed, to others or to what stood elsewhere, at any size.
std::vector<Bytes> random_records(std::uint64_t seed, std::size_t record_count) {
  std::mt19937_64 random{seed};
  const auto below = [&](std::uint64_t limit) {
    return static_cast<std::size_t>(random() % limit);
  };
  std::vector<Bytes> records;
  std::array<Bytes, EVENT_KIND_COUNT> last;
  for (std::size_t i = 0; i < record_count; ++i) {
    const auto kind = static_cast<std::uint16_t>(below(EVENT_KIND_COUNT));
    Bytes &record = last[kind];
    if (record.empty() || below(8) == 0)
      record.resize(sizeof(event_header) +
                    below(below(4) == 0 ? kCodedRecordBytesMax - sizeof(event_header) + 1 : 200));
    for (std::size_t changes = below(6); changes > 0; --changes) {
      const std::size_t at = below(record.size()), from = below(record.size());
      const std::size_t length = std::min({below(17), record.size() - at, record.size() - from});
      if (below(2) == 0)
        std::memmove(record.data() + at, record.data() + from, length);
      else
        for (std::size_t k = 0; k < length; ++k)
          record[at + k] = static_cast<std::byte>(random());
    }
    std::memcpy(record.data() + offsetof(event_header, kind), &kind, sizeof(kind));
    records.push_back(record);
  }
  return records;
}

TEST(RecordCoderTest, AnyRecordsComeBackAsTheyWere) {
  RecordEncoder encoder;
  RecordDecoder decoder;
  for (std::uint64_t chunk = 0; chunk < 20; ++chunk) { // of which none knows of the one before
    const auto records = random_records(chunk, 500);
    expect_same(decoder, encode(encoder, records), records);
  }
}

TEST(RecordCoderTest, EverySizeComesBack) {
  for (const std::byte fill : {std::byte{0}, std::byte{0xff}}) {
    std::vector<Bytes> records;
    for (std::size_t size_bytes = sizeof(event_header); size_bytes <= 200; ++size_bytes) {
      records.push_back(record_of(size_bytes, EVENT_KIND_STACK));
      std::fill(records.back().begin() + sizeof(event_header), records.back().end(), fill);
    }
    records.push_back(record_of(kCodedRecordBytesMax, EVENT_KIND_STACK));
    RecordDecoder decoder;
    expect_same(decoder, encode(records), records);
  }
}

TEST(RecordCoderTest, WhatIsNoRecordOfTheKernelSideIsLeftToOthers) {
  EXPECT_TRUE(RecordEncoder::can_encode(record_of(24, EVENT_KIND_COUNT - 1)));
  EXPECT_FALSE(RecordEncoder::can_encode(record_of(24, EVENT_KIND_COUNT)));
  EXPECT_FALSE(RecordEncoder::can_encode(std::span<const std::byte>{record_of(24, 1)}.first(23)));
  EXPECT_FALSE(RecordEncoder::can_encode({}));
  EXPECT_TRUE(RecordEncoder::can_encode(record_of(kCodedRecordBytesMax, 1)));
  EXPECT_FALSE(RecordEncoder::can_encode(record_of(kCodedRecordBytesMax + 1, 1)));
}

TEST(RecordCoderTest, WhatARecordRepeatsTakesNoWords) {
  std::vector<Bytes> records(2, record_of(152, EVENT_KIND_MAP_OPERATION));
  records[0][100] = records[1][100] = std::byte{1};
  const std::size_t once = encode({records[0]}).words.size();
  EXPECT_EQ(encode(records).words.size(), once);
  records[1][35] = std::byte{1}; // one byte within a word
  EXPECT_EQ(encode(records).words.size(), once + 1);
}

TEST(RecordCoderTest, AWordThatComesAgainTakesTwoBytes) {
  std::vector<Bytes> records(3, record_of(32, EVENT_KIND_MAP_OPERATION));
  const std::uint64_t stacks[] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x9e3779b97f4a7c15};
  for (std::size_t i = 0; i < 3; ++i)
    std::memcpy(records[i].data() + 24, &stacks[i], sizeof(stacks[i]));
  const std::size_t two = encode({records[0], records[1]}).words.size();
  EXPECT_EQ(encode(records).words.size(), two + 2);
}

std::string refusal_of(Bytes controls, std::size_t word_bytes) {
  const Bytes words(word_bytes);
  RecordDecoder decoder;
  decoder.reset(words);
  const auto decoded = decoder.decode(ByteReader{controls});
  return decoded ? "" : decoded.error().message();
}

TEST(RecordCoderTest, WhatMakesNoSenseIsRefused) {
  const auto control = [](std::uint8_t value) {
    Bytes controls(4);
    controls[3] = std::byte{value};
    return controls;
  };
  EXPECT_EQ(refusal_of(control(0x08), 8), "");
  EXPECT_EQ(refusal_of(control(0x71), 1), "");
  EXPECT_EQ(refusal_of(control(0x0f), 2), "");
  EXPECT_EQ(refusal_of(control(0x08), 7), "[0x0, +0x8) is outside 0x7 bytes");
  EXPECT_EQ(refusal_of(control(0x0f), 1), "[0x0, +0x2) is outside 0x1 bytes");
  for (const unsigned value : {0x09U, 0x10U, 0x18U, 0x1fU, 0x72U, 0x81U, 0xffU})
    EXPECT_TRUE(
        refusal_of(control(static_cast<std::uint8_t>(value)), 100).ends_with("is no control byte"))
        << value;
  EXPECT_TRUE(refusal_of({}, 8).starts_with("0 bytes left"));
  EXPECT_EQ(refusal_of(Bytes(3), 8), "no record can begin with 0x0 and have 2 words");
  EXPECT_EQ(refusal_of(Bytes(1 + 257), 8), "no record can begin with 0x0 and have 257 words");
  EXPECT_NE(refusal_of(Bytes(4, std::byte{EVENT_KIND_COUNT}), 8), "");
  EXPECT_NE(refusal_of(Bytes(4, std::byte{0x81}), 8), ""); // lacks eight of eight bytes
}

TEST(RecordCoderTest, AnyBytesAreDecodedOrRefused) {
  std::mt19937_64 random{1};
  RecordDecoder decoder;
  std::size_t decoded_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes controls(random() % 40), words(random() % 300);
    for (std::byte &byte : controls)
      byte = random() % 4 == 0 ? static_cast<std::byte>(random()) : std::byte(random() % 0x10);
    for (std::byte &byte : words)
      byte = static_cast<std::byte>(random());
    decoder.reset(words);
    while (decoder.decode(ByteReader{controls}) && decoder.unused_bytes() > 0)
      ++decoded_count;
  }
  EXPECT_GT(decoded_count, 100u);
}

} // namespace
} // namespace mapscope
