// What a sample of keys tells, for samples whose answer is known.
#include "judge/key_distribution.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string_view>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

std::vector<std::byte> key_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string as_text(std::span<const std::byte> key) {
  return {reinterpret_cast<const char *>(key.data()), key.size()};
}

using Keys = std::vector<std::vector<std::byte>>;

Keys keys_of(std::initializer_list<std::pair<std::string_view, int>> counts) {
  Keys keys;
  for (const auto &[text, count] : counts)
    for (int i = 0; i < count; ++i)
      keys.push_back(key_of(text));
  return keys;
}

TEST(KeyDistributionTest, NothingOfNothing) {
  const BpfKeyDistribution answer = key_distribution({}, as_text);
  EXPECT_EQ(answer.sampled, 0u);
  EXPECT_TRUE(answer.top.empty());
  EXPECT_EQ(answer.entropy_bits, 0);
}

TEST(KeyDistributionTest, TheHotKeyComesFirst) {
  const BpfKeyDistribution answer =
      key_distribution(keys_of({{"cold", 1}, {"hot!", 97}, {"warm", 2}}), as_text);
  EXPECT_EQ(answer.sampled, 100u);
  EXPECT_EQ(answer.distinct, 3u);
  ASSERT_EQ(answer.top.size(), 3u);
  EXPECT_EQ(answer.top[0].key, "hot!");
  EXPECT_EQ(answer.top[0].count, 97u);
  EXPECT_EQ(answer.top[2].key, "cold");
  EXPECT_TRUE(answer.prefixes.empty()); // one key is no prefix
}

TEST(KeyDistributionTest, EntropyOfEvenKeysIsTheirLogarithm) {
  Keys keys;
  for (int i = 0; i < 256; ++i)
    keys.push_back({std::byte(i), std::byte(0)});
  EXPECT_DOUBLE_EQ(key_distribution(keys, as_text).entropy_bits, 8);
  EXPECT_DOUBLE_EQ(key_distribution(keys_of({{"a", 9}}), as_text).entropy_bits, 0);
  EXPECT_DOUBLE_EQ(key_distribution(keys_of({{"a", 5}, {"b", 5}}), as_text).entropy_bits, 1);
}

TEST(KeyDistributionTest, NamesWhatKeysBeginWith) {
  const BpfKeyDistribution answer = key_distribution(
      keys_of({{"user:1.....", 30}, {"user:2.....", 30}, {"host:3.....", 40}}), as_text);
  ASSERT_EQ(answer.prefixes.size(), 1u); // "user" for all of its beginnings
  EXPECT_EQ(answer.prefixes[0].key, "\"user\"...");
  EXPECT_EQ(answer.prefixes[0].count, 60u);
}

TEST(KeyDistributionTest, BytesThatAreNoTextAreHex) {
  const Keys keys = {{std::byte{10}, std::byte{0}, std::byte{7}, std::byte{1}},
                     {std::byte{10}, std::byte{0}, std::byte{9}, std::byte{2}}};
  const BpfKeyDistribution answer = key_distribution(keys, as_text);
  ASSERT_EQ(answer.prefixes.size(), 1u);
  EXPECT_EQ(answer.prefixes[0].key, "0a 00 ...");
}

TEST(KeyDistributionTest, ListsAreBounded) {
  Keys keys;
  for (int i = 0; i < 1'000; ++i)
    keys.push_back({std::byte(i & 255), std::byte(i >> 8)});
  const BpfKeyDistribution answer = key_distribution(keys, as_text, 3);
  EXPECT_EQ(answer.top.size(), 3u);
  EXPECT_LE(answer.prefixes.size(), 3u);
  EXPECT_EQ(answer.distinct, 1'000u);
}

TEST(KeyDistributionTest, OrderDoesNotMatter) {
  std::mt19937 random{5};
  Keys keys;
  for (int i = 0; i < 500; ++i)
    keys.push_back({std::byte(random() % 7), std::byte(random() % 5), std::byte(random() % 3)});
  const BpfKeyDistribution before = key_distribution(keys, as_text);
  std::ranges::shuffle(keys, random);
  const BpfKeyDistribution after = key_distribution(keys, as_text);
  EXPECT_NEAR(before.entropy_bits, after.entropy_bits, 1e-9);
  ASSERT_EQ(before.top.size(), after.top.size());
  for (std::size_t i = 0; i < before.top.size(); ++i) {
    EXPECT_EQ(before.top[i].key, after.top[i].key);
    EXPECT_EQ(before.top[i].count, after.top[i].count);
  }
}

TEST(KeyDistributionTest, TwiceTheSampleIsTheSameDistribution) {
  Keys keys = keys_of({{"aa", 3}, {"ab", 5}, {"ba", 9}});
  const BpfKeyDistribution once = key_distribution(keys, as_text);
  const Keys copy = keys;
  keys.insert(keys.end(), copy.begin(), copy.end());
  const BpfKeyDistribution twice = key_distribution(keys, as_text);
  EXPECT_NEAR(once.entropy_bits, twice.entropy_bits, 1e-9);
  EXPECT_EQ(twice.top[0].count, 2 * once.top[0].count);
  EXPECT_EQ(twice.prefixes.size(), once.prefixes.size());
}

} // namespace
} // namespace mapscope
