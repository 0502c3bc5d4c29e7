// The sample of keys that are looked up in a window, against what a process looked up.
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "support/called_map.h"

namespace mapscope {
namespace {

using testing::CalledMap, testing::expect_outcome, testing::look_up, testing::make_hash,
    testing::make_map, testing::update;

class CallWindowKeysBpfTest : public testing::CallWindowTest {};

std::uint32_t key_number(const std::vector<std::byte> &key) {
  std::uint32_t number = 0;
  EXPECT_EQ(key.size(), sizeof(number));
  std::memcpy(&number, key.data(), std::min(key.size(), sizeof(number)));
  return number;
}

double share_of(const MapCalls &calls, const std::function<bool(std::uint32_t)> &is_meant) {
  const auto count = std::ranges::count_if(
      calls.looked_up, [&](const auto &key) { return is_meant(key_number(key)); });
  return static_cast<double>(count) / static_cast<double>(calls.looked_up.size());
}

// Of 4,096 keys with a share of a half, two thirds of a hundredth are one standard deviation.
TEST_F(CallWindowKeysBpfTest, KeysAreASampleOfTheWholeWindow) {
  constexpr std::uint32_t kLookups = 20'000, kHot = 7;
  const CalledMap map = make_hash(10), other = make_hash(10);
  const CallWindowAnswer answer = watch(
      [&] {
        EXPECT_OK(update(map, kHot));
        for (std::uint32_t i = 0; i < kLookups; ++i) {
          // Every other is of the hot key; the rest says when it was.
          EXPECT_ERROR(i % 2 == 0 ? 0 : ENOENT, look_up(map, i % 2 == 0 ? kHot : 1000 + i));
          EXPECT_ERROR(ENOENT, look_up(other, i));
        }
      },
      {map.id});
  ASSERT_TRUE(answer.calls.contains(map.id));
  const MapCalls &calls = answer.calls.at(map.id);
  EXPECT_EQ(calls.looked_up_of, kLookups);
  EXPECT_EQ(calls.looked_up.size(), 4096u);
  EXPECT_NEAR(share_of(calls, [](auto key) { return key == kHot; }), 0.5, 0.06);
  EXPECT_NEAR(share_of(calls, [](auto key) { return key >= 1000 + kLookups / 2; }), 0.25, 0.06);
  EXPECT_TRUE(answer.calls.at(other.id).looked_up.empty());
}

TEST_F(CallWindowKeysBpfTest, MapsShareTheRoomForKeys) {
  const CalledMap one = make_hash(10), two = make_hash(10);
  const CallWindowAnswer answer = watch(
      [&] {
        for (std::uint32_t i = 0; i < 3000; ++i)
          EXPECT_ERROR(ENOENT, look_up(one, i));
        for (std::uint32_t i = 0; i < 10; ++i)
          EXPECT_ERROR(ENOENT, look_up(two, 50 + i));
      },
      {two.id, one.id});
  ASSERT_TRUE(answer.calls.contains(one.id) && answer.calls.contains(two.id));
  EXPECT_EQ(answer.calls.at(one.id).looked_up.size(), 2048u);
  EXPECT_EQ(answer.calls.at(two.id).looked_up_of, 10u);
  EXPECT_DOUBLE_EQ(share_of(answer.calls.at(two.id), [](auto key) { return key >= 50; }), 1);
  EXPECT_EQ(answer.calls.at(two.id).looked_up.size(), 10u);
}

TEST_F(CallWindowKeysBpfTest, LongKeysAreCut) {
  const CalledMap map = make_map(BPF_MAP_TYPE_HASH, 200, 10);
  const CallWindowAnswer answer = watch(
      [&] {
        std::array<std::byte, 200> key{};
        key.fill(std::byte{0x5a});
        std::uint64_t value = 0;
        EXPECT_ERROR(ENOENT, bpf_map_lookup_elem(map.fd.get(), key.data(), &value));
      },
      {map.id});
  ASSERT_TRUE(answer.calls.contains(map.id));
  ASSERT_EQ(answer.calls.at(map.id).looked_up.size(), 1u);
  EXPECT_EQ(answer.calls.at(map.id).looked_up[0], std::vector(64, std::byte{0x5a}));
}

} // namespace
} // namespace mapscope
