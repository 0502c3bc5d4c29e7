// Objects of a compiler, sound and damaged.
#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "binary/bpf_object.h"
#include "support/file_content.h"
#include "unit/vet/object_files.h"
#include "vet/bpf_rules.h"

namespace mapscope {
namespace {

const BpfDeclaredMap *find_map(const BpfObjectFacts &facts, std::string_view name) {
  const auto found = std::ranges::find(facts.maps, name, &BpfDeclaredMap::name);
  return found == facts.maps.end() ? nullptr : &*found;
}

TEST(BpfObjectTest, ReadsMapsAsTheyAreDeclared) {
  const auto bytes = fixture_object("sound");
  const auto facts = read_bpf_object(bytes, "sound");
  ASSERT_TRUE(facts) << facts.error().message();
  const BpfDeclaredMap *flows = find_map(*facts, "flows");
  ASSERT_NE(flows, nullptr);
  EXPECT_EQ(flows->type_number, 1u);
  EXPECT_EQ(flows->max_entries, 65'536u);
  EXPECT_EQ(flows->key_bytes, 16u);
  EXPECT_EQ(flows->value_bytes, 24u);
  EXPECT_EQ(flows->key_type->name, "struct flow_key");
  EXPECT_EQ(flows->value_type->counter_member, "rx_bytes");
  EXPECT_EQ(find_map(*facts, "settings")->flags, 1u << 10 | 1u << 7);
  EXPECT_EQ(find_map(*facts, "times")->value_type->name, "__u64");
  EXPECT_EQ(find_map(*facts, "times")->tags, std::vector<std::string>{"mapscope:cache"});
  EXPECT_FALSE(find_map(*facts, "perf_events")->max_entries);
}

TEST(BpfObjectTest, ReadsTheTemplatesOfMapsOfMaps) {
  const auto bytes = fixture_object("sound");
  const auto facts = read_bpf_object(bytes, "sound");
  ASSERT_TRUE(facts) << facts.error().message();
  EXPECT_TRUE(find_map(*facts, "tables")->has_inner);
  const BpfDeclaredMap *inner = find_map(*facts, "tables.inner");
  ASSERT_NE(inner, nullptr);
  EXPECT_TRUE(inner->is_inner);
  EXPECT_EQ(inner->max_entries, 16u);
  EXPECT_FALSE(find_map(*facts, "calls")->has_inner); // its values are functions
}

TEST(BpfObjectTest, DataSectionsAreMaps) {
  const auto bytes = fixture_object("defects");
  const auto facts = read_bpf_object(bytes, "defects");
  ASSERT_TRUE(facts) << facts.error().message();
  const BpfDeclaredMap *zeroes = find_map(*facts, ".bss");
  ASSERT_NE(zeroes, nullptr);
  EXPECT_EQ(zeroes->definition, BpfMapDefinition::global_data);
  EXPECT_EQ(zeroes->value_bytes, 300u << 20);
}

TEST(BpfObjectTest, ReadsOlderDefinitions) {
  const auto bytes = fixture_object("legacy");
  const auto facts = read_bpf_object(bytes, "legacy");
  ASSERT_TRUE(facts) << facts.error().message();
  const BpfDeclaredMap *hash = find_map(*facts, "old_hash");
  ASSERT_NE(hash, nullptr);
  EXPECT_EQ(hash->definition, BpfMapDefinition::legacy);
  EXPECT_EQ(hash->max_entries, 128u);
  EXPECT_EQ(find_map(*facts, "old_array")->key_bytes, 8u);
}

TEST(BpfObjectTest, NamesMapsThatNothingDescribes) {
  const auto bytes = fixture_object("without_btf");
  const auto facts = read_bpf_object(bytes, "without_btf");
  ASSERT_TRUE(facts) << facts.error().message();
  EXPECT_NE(std::ranges::find(facts->undescribed_maps, "flows"), facts->undescribed_maps.end());
}

TEST(BpfObjectTest, SaysWhatItCannotRead) {
  const auto big = fixture_object("big_endian");
  EXPECT_TRUE(looks_like_bpf_object(big));
  const auto facts = read_bpf_object(big, "big");
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code(), Errc::unsupported);
  EXPECT_NE(facts.error().message().find("big-endian"), std::string::npos);

  const auto own = testing::file_bytes("/proc/self/exe");
  EXPECT_FALSE(looks_like_bpf_object(own));
  EXPECT_EQ(read_bpf_object(own, "own").error().code(), Errc::unsupported);
  EXPECT_FALSE(read_bpf_object({}, "nothing"));
}

// What comes of it is an error or facts, and rules end on any facts.
void read_and_judge(std::span<const std::byte> bytes) {
  if (const auto facts = read_bpf_object(bytes, "damaged"))
    vet_bpf_object(*facts, {});
}

TEST(BpfObjectTest, SurvivesEveryByteFlipped) {
  auto bytes = fixture_object("legacy");
  ASSERT_FALSE(bytes.empty());
  for (std::byte &byte : bytes)
    for (const std::byte flip : {std::byte{0xff}, std::byte{0x80}, std::byte{0x01}}) {
      byte ^= flip;
      read_and_judge(bytes);
      byte ^= flip;
    }
}

TEST(BpfObjectTest, SurvivesManyBytesChanged) {
  const auto bytes = fixture_object("sound");
  ASSERT_FALSE(bytes.empty());
  std::minstd_rand random{1};
  for (int round = 0; round < 1000; ++round) {
    auto damaged = bytes;
    for (int i = 0; i < 8; ++i)
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    read_and_judge(damaged);
    damaged.resize(random() % damaged.size());
    read_and_judge(damaged);
  }
}

} // namespace
} // namespace mapscope
