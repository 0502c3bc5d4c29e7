// Hashes of keys, against what the hash functions of real programs answer.
#include "heap/key_hash.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "unit/heap/key_hash_program.h"

namespace mapscope {
namespace {

using testing::GoBuild;
using testing::KeyHashProgram;
using testing::SmallMap;
using testing::TrueHash;

class KeyHashTest : public ::testing::TestWithParam<GoBuild> {
protected:
  void SetUp() override {
    if (!can_hash_with_aes())
      GTEST_SKIP() << "this machine has no AES instructions";
    program_ = KeyHashProgram::start(GetParam());
    if (!program_)
      GTEST_SKIP() << "Go " << GetParam().version << " can't be had";
    ASSERT_TRUE(program_->keys);
    auto types = GoTypes::read(program_->memory, program_->type_range, program_->facts);
    ASSERT_TRUE(types) << types.error().message();
    types_ = *std::move(types);
  }

  // Of keys of a map type; reads its descriptor where reflect made it.
  std::optional<KeyHash> hash_of(std::uint64_t map_type) {
    const bool is_made = !program_->type_range.contains({map_type});
    if (is_made) {
      EXPECT_TRUE(types_->learn(program_->memory, {map_type}).value_or(false));
    }
    const auto key_type = types_->memory().word(map_type + TypeFields::kMapKey);
    return key_type ? KeyHash::of(*types_, {*key_type}, *program_->keys,
                                  is_made ? KeyHash::Maker::reflect : KeyHash::Maker::compiler)
                    : std::nullopt;
  }

  // With all that the key refers to, round by round.
  std::optional<std::uint64_t> hash(const KeyHash &hash, std::span<const std::byte> key,
                                    std::uint64_t seed) {
    std::vector<std::vector<std::byte>> bytes;
    std::vector<std::span<const std::byte>> fetched;
    std::vector<WantedRange> wanted;
    do {
      for (std::size_t i = bytes.size(); i < wanted.size(); ++i)
        bytes.push_back(program_->read(wanted[i].address, wanted[i].size_bytes));
      fetched.assign(bytes.begin(), bytes.end());
      if (!hash.add_wanted(key, wanted, fetched))
        return std::nullopt;
    } while (wanted.size() > bytes.size());
    EXPECT_TRUE(bytes.empty() || hash.needs_memory());
    return hash.hash(key, seed, fetched);
  }

  std::unique_ptr<KeyHashProgram> program_;
  std::optional<GoTypes> types_;
};

TEST_P(KeyHashTest, AllBitsAreThoseOfTheProgramsOwnHashFunctions) {
  std::map<std::uint64_t, std::size_t> counts;
  for (const TrueHash &truth : program_->hashes) {
    const auto layout = types_->map_type({truth.map_type});
    const auto hash_function = hash_of(truth.map_type);
    const std::string name = layout ? layout->type.name : "a type that reflect made";
    ASSERT_TRUE(hash_function) << name;
    const auto key_type = types_->memory().word(truth.map_type + TypeFields::kMapKey);
    const auto key = program_->read(truth.key, types_->memory().header(*key_type)->size_bytes);
    EXPECT_EQ(hash(*hash_function, key, truth.seed), truth.hash) << name;
    ++counts[truth.map_type];
  }
  EXPECT_GT(counts.size(), 60u);
}

// As the census reads them: keys out of their groups, seeds out of headers.
TEST_P(KeyHashTest, EachKeyInAGroupHasTheHashThatItsSlotKeeps) {
  const bool is_classic = program_->facts.map_implementation == MapImplementation::classic;
  std::size_t count = 0;
  for (const SmallMap &map : program_->maps) {
    const auto hash_function = hash_of(map.map_type);
    const auto layout = types_->map_type({map.map_type});
    ASSERT_TRUE(layout && hash_function);
    const auto header = program_->read(map.header, 48);
    ASSERT_EQ(header.size(), 48u);
    const auto group = program_->read(load<std::uint64_t>(header, 16), layout->type.group_bytes);
    ASSERT_EQ(group.size(), layout->type.group_bytes) << layout->type.name;
    const std::uint64_t seed =
        is_classic ? load<std::uint32_t>(header, 12) : load<std::uint64_t>(header, 8);
    std::uint64_t full = 0;
    for (std::size_t slot = 0; slot < 8; ++slot) {
      const auto kept = std::to_integer<std::uint64_t>(group[slot]);
      if (is_classic ? kept < 5 : kept >= 0x80)
        continue;
      ++full;
      auto key = std::span{group}.subspan(layout->keys_offset + slot * layout->key_stride,
                                          layout->key_bytes_in_group());
      std::vector<std::byte> elsewhere;
      if (layout->type.key_is_indirect)
        key = elsewhere = program_->read(load<std::uint64_t>(key, 0), layout->type.key_bytes);
      const auto computed = hash(*hash_function, key, seed);
      ASSERT_TRUE(computed) << layout->type.name;
      const std::uint64_t top = *computed >> 56; // runtime/map.go, tophash
      EXPECT_EQ(kept, is_classic ? (top < 5 ? top + 5 : top) : (*computed & 0x7f))
          << layout->type.name;
      ++count;
    }
    EXPECT_EQ(full, map.len) << layout->type.name;
  }
  EXPECT_GT(count, 250u);
}

TEST_P(KeyHashTest, ANumberThatIsNoneHasNoHash) {
  const auto hash_function = hash_of(program_->nan_type);
  ASSERT_TRUE(hash_function);
  const auto key = program_->read(program_->nan_key, 8);
  std::vector<WantedRange> wanted;
  EXPECT_FALSE(hash_function->add_wanted(key, wanted));
  EXPECT_FALSE(hash_function->hash(key, 1));
}

TEST_P(KeyHashTest, AKeyThatIsCutOffHasNoHash) {
  for (const TrueHash &truth : program_->hashes) {
    const auto hash_function = hash_of(truth.map_type);
    const auto key_type = types_->memory().word(truth.map_type + TypeFields::kMapKey);
    const auto size_bytes = types_->memory().header(*key_type)->size_bytes;
    if (size_bytes == 0)
      continue;
    const auto key = program_->read(truth.key, size_bytes - 1);
    std::vector<WantedRange> wanted;
    EXPECT_FALSE(hash_function->add_wanted(key, wanted));
    EXPECT_FALSE(hash_function->hash(key, truth.seed));
  }
}

TEST_P(KeyHashTest, AProcessThatHashesWithoutAesHasNoHashesHere) {
  const auto key_type = types_->memory().word(program_->nan_type + TypeFields::kMapKey);
  EXPECT_FALSE(KeyHash::of(*types_, {*key_type}, HashKeys{}));
}

INSTANTIATE_TEST_SUITE_P(, KeyHashTest, ::testing::ValuesIn(testing::all_go_builds()),
                         [](const auto &build) { return build.param.name(); });

} // namespace
} // namespace mapscope
