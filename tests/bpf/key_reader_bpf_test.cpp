// Keys against the truth: all of them, in pages, of maps that change meanwhile; and their text.
#include "kernel/bpf_maps/key_reader.h"

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "support/every_bpf_map.h"
#include "support/made_map_facts.h"

namespace mapscope {
namespace {

using testing::MadeBpfMap;

BpfMapFacts facts_for_keys(const MadeBpfMap &map) {
  BpfMapFacts facts = testing::facts_of(map);
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(map.fd.get(), &info, &length), 0);
  facts.btf_id = info.btf_id;
  return facts;
}

std::uint32_t number_in(std::span<const std::byte> bytes) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof(number)));
  return number;
}

class KeyReaderBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "making BPF maps and reading their keys needs root";
  }

  static MadeBpfMap filled(const char *type, std::uint32_t max, std::uint32_t amount) {
    auto map = testing::make_bpf_map(type, std::string{"ms_keys_"} + type, max);
    if (!map || !testing::put_bpf_keys(*map, 0, amount))
      throw std::runtime_error{"no map of type " + std::string{type}};
    return std::move(*map);
  }
};

TEST_F(KeyReaderBpfTest, TellsEachKeyOnceWithItsValue) {
  for (const char *type : {"hash", "percpu_hash", "lru_hash", "array", "percpu_array"}) {
    SCOPED_TRACE(type);
    const bool is_array = std::string_view{type}.ends_with("array");
    const std::uint32_t amount = 30'000;
    const MadeBpfMap map = filled(type, is_array ? amount : 60'000, amount);
    std::set<std::uint32_t> keys;
    bool values_are_right = true;
    auto answer = read_keys(facts_for_keys(map), {.with_values = true}, [&](auto key, auto value) {
      keys.insert(number_in(key));
      values_are_right = values_are_right && value.size() >= 8 && value[0] == std::byte{1};
      return true;
    });
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_TRUE(answer->is_complete) << answer->stopped;
    EXPECT_EQ(answer->keys, amount);
    EXPECT_EQ(keys.size(), amount);
    EXPECT_EQ(*keys.rbegin(), amount - 1);
    EXPECT_TRUE(values_are_right);
  }
}

TEST_F(KeyReaderBpfTest, TellsOnlySlotsThatAreUsed) {
  const auto every = testing::EveryBpfMap::make(
      testing::BpfMapLevel::some, {"prog_array", "array_of_maps", "devmap", "devmap_hash", "cpumap",
                                   "sockhash", "lpm_trie", "stack_trace", "hash_of_maps"});
  for (const MadeBpfMap &map : every.maps()) {
    std::uint64_t keys = 0;
    auto answer = read_keys(facts_for_keys(map), {.with_values = true}, [&](auto, auto) {
      ++keys;
      return true;
    });
    ASSERT_TRUE(answer) << map.type << ": " << answer.error().message();
    EXPECT_EQ(keys, map.entries) << map.type;
  }
}

TEST_F(KeyReaderBpfTest, SaysOfTypesWithoutKeysWhy) {
  const auto every =
      testing::EveryBpfMap::make(testing::BpfMapLevel::some,
                                 {"queue", "ringbuf", "bloom_filter", "perf_event_array", "arena"});
  EXPECT_FALSE(every.maps().empty());
  for (const MadeBpfMap &map : every.maps()) {
    auto answer = read_keys(facts_for_keys(map), {}, [](auto, auto) { return true; });
    ASSERT_FALSE(answer) << map.type;
    EXPECT_EQ(answer.error().code(), Errc::unsupported) << answer.error().message();
  }
}

TEST_F(KeyReaderBpfTest, StopsAtTheLimitAndWhereTheTakerHasEnough) {
  const MadeBpfMap map = filled("hash", 1000, 500);
  std::uint64_t taken = 0;
  auto limited = read_keys(facts_for_keys(map), {.keys_max = 10}, [&](auto, auto) {
    ++taken;
    return true;
  });
  ASSERT_TRUE(limited);
  EXPECT_EQ(taken, 10u);
  EXPECT_FALSE(limited->is_complete);
  EXPECT_EQ(limited->stopped, "that was enough");
  auto refused = read_keys(facts_for_keys(map), {}, [](auto, auto) { return false; });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->keys, 1u);
  EXPECT_FALSE(refused->is_complete);
  auto exact = read_keys(facts_for_keys(map), {.keys_max = 500}, [](auto, auto) { return true; });
  ASSERT_TRUE(exact);
  EXPECT_TRUE(exact->is_complete) << exact->stopped;
}

TEST_F(KeyReaderBpfTest, AMapThatIsEmptiedMeanwhileIsReadToItsEnd) {
  const MadeBpfMap map = filled("hash", 100'000, 80'000);
  std::set<std::uint32_t> seen;
  bool is_twice = false;
  auto answer = read_keys(facts_for_keys(map), {}, [&](auto key, auto) {
    const std::uint32_t number = number_in(key);
    is_twice = is_twice || !seen.insert(number).second;
    if (seen.size() % 1000 == 1) // others go, and some come
      for (std::uint32_t i = 0; i < 2000; ++i) {
        const std::uint32_t other = (number + i * 37) % 80'000;
        (void)bpf_map_delete_elem(map.fd.get(), &other);
      }
    return true;
  });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_TRUE(answer->is_complete) << answer->stopped;
  EXPECT_FALSE(is_twice);
  EXPECT_LT(answer->keys, 80'000u);
}

TEST_F(KeyReaderBpfTest, WhereTheKernelBeginsAnewTheReaderStopsAndSaysSo) {
  const auto every = testing::EveryBpfMap::make(testing::BpfMapLevel::full, {"devmap_hash"});
  const MadeBpfMap *map = every.find("devmap_hash");
  if (map == nullptr)
    GTEST_SKIP() << "this kernel makes no devmap_hash";
  // Room for pages of one key, so that the reader stands on each.
  BpfMapFacts facts = facts_for_keys(*map);
  facts.value_bytes = 200 * 1024;
  std::set<std::uint32_t> seen;
  bool has_deleted = false;
  auto answer = read_keys(facts, {}, [&](auto key, auto) {
    seen.insert(number_in(key));
    if (seen.size() == 3 && !has_deleted)
      has_deleted = bpf_map_delete_elem(map->fd.get(), key.data()) == 0;
    return true;
  });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_TRUE(has_deleted);
  EXPECT_FALSE(answer->is_complete);
  EXPECT_EQ(answer->stopped, "a key was deleted where the reader stood");
}

TEST_F(KeyReaderBpfTest, ABucketWithMoreKeysThanAPageIsReadInALargerOne) {
  const MadeBpfMap map = filled("hash", 64, 64);
  BpfMapFacts facts = facts_for_keys(map);
  facts.value_bytes = 60 * 1024; // so that a page is one key
  std::set<std::uint32_t> keys;
  auto answer = read_keys(facts, {}, [&](auto key, auto) {
    keys.insert(number_in(key));
    return true;
  });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_TRUE(answer->is_complete) << answer->stopped;
  EXPECT_EQ(keys.size(), 64u);
}

TEST_F(KeyReaderBpfTest, OfAMapThatIsGoneSaysNotFound) {
  BpfMapFacts facts;
  {
    const MadeBpfMap map = filled("hash", 10, 1);
    facts = facts_for_keys(map);
  }
  for (int attempt = 0; attempt < 1000; ++attempt, ::usleep(10'000)) {
    auto answer = read_keys(facts, {}, [](auto, auto) { return true; });
    if (!answer) {
      EXPECT_EQ(answer.error().code(), Errc::not_found) << answer.error().message();
      return;
    }
  }
  FAIL() << "the map never went away";
}

TEST_F(KeyReaderBpfTest, KeysAreWrittenAsTheirTypeHasThem) {
  auto map = testing::make_hash_with_btf("ms_flows", 10);
  ASSERT_TRUE(map) << map.error().message();
  struct {
    std::uint32_t address;
    std::uint16_t port, zone;
  } key = {0x0a000001, 80, 3};
  const std::uint64_t value = 12345678901;
  ASSERT_EQ(bpf_map_update_elem(map->fd.get(), &key, &value, BPF_ANY), 0);
  const BpfMapFacts facts = facts_for_keys(*map);
  const MapDataFormatter formatter = MapDataFormatter::of(facts);
  std::vector<std::string> lines;
  auto answer = read_keys(facts, {.with_values = true}, [&](auto bytes, auto stored) {
    lines.push_back(formatter.key(bytes) + " = " + formatter.value(stored));
    return true;
  });
  ASSERT_TRUE(answer);
  EXPECT_EQ(lines, std::vector<std::string>{
                       "{.address = 167772161, .port = 80, .zone = 3} = 12345678901"});
}

// struct record {char name[8]; enum colour colour; unsigned char bytes[3]; int at;}
std::uint32_t add_record_type(btf *types) {
  const int character = btf__add_int(types, "char", 1, BTF_INT_SIGNED);
  const int byte = btf__add_int(types, "unsigned char", 1, 0);
  const int number = btf__add_int(types, "int", 4, BTF_INT_SIGNED);
  const int name = btf__add_array(types, number, character, 8);
  const int bytes = btf__add_array(types, number, byte, 3);
  const int colour = btf__add_enum(types, "colour", 4);
  btf__add_enum_value(types, "RED", 0);
  btf__add_enum_value(types, "GREEN", 1);
  const int record = btf__add_struct(types, "record", 20);
  btf__add_field(types, "name", name, 0, 0);
  btf__add_field(types, "colour", colour, 64, 0);
  btf__add_field(types, "bytes", bytes, 96, 0);
  btf__add_field(types, "at", number, 128, 0);
  return static_cast<std::uint32_t>(record);
}

TEST_F(KeyReaderBpfTest, StringsNamesAndListsAreWrittenAsSuch) {
  const Handle<btf, btf__free> types{btf__new_empty()};
  ASSERT_TRUE(types);
  const std::uint32_t record = add_record_type(types.get());
  ASSERT_EQ(btf__load_into_kernel(types.get()), 0);
  LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = static_cast<__u32>(btf__fd(types.get())),
              .btf_key_type_id = record, .btf_value_type_id = record);
  MadeBpfMap map{.name = "ms_records", .type = "percpu_hash"};
  map.type_number = BPF_MAP_TYPE_PERCPU_HASH;
  map.key_bytes = map.value_bytes = 20;
  map.max_entries = 4;
  map.fd = Fd{bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, "ms_records", 20, 20, 4, &options)};
  ASSERT_TRUE(map.fd) << std::strerror(errno);
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  ASSERT_EQ(bpf_obj_get_info_by_fd(map.fd.get(), &info, &length), 0);
  map.id = info.id;
  struct {
    char name[8] = "eth0";
    std::uint32_t colour = 1;
    unsigned char bytes[4] = {1, 0, 255, 0};
    std::int32_t at = -5;
  } key;
  const MapDataFormatter formatter = MapDataFormatter::of(facts_for_keys(map));
  const std::string text = formatter.key(std::as_bytes(std::span{&key, 1}));
  EXPECT_EQ(text, "{.name = \"eth0\", .colour = GREEN, .bytes = [01 00 ff], .at = -5}");
  // No string: what is behind the zero counts as well.
  key.name[6] = '\x1b';
  EXPECT_TRUE(formatter.key(std::as_bytes(std::span{&key, 1}))
                  .starts_with("{.name = [65 74 68 30 00 00 1b 00], "));
  // A value for each of three CPUs, each filled up to eight bytes.
  const std::vector<std::byte> values(3 * 24);
  EXPECT_TRUE(formatter.value(values).starts_with("[{.name = ")) << formatter.value(values);
  EXPECT_LE(formatter.value(values).size(), 256u);
  // Less than the type wants, as no kernel gives it.
  EXPECT_EQ(formatter.key(std::vector<std::byte>(3)), "00 00 00 \"...\"");
}

TEST_F(KeyReaderBpfTest, WithoutATypeKeysAreHex) {
  const MadeBpfMap map = filled("hash", 10, 1);
  const MapDataFormatter formatter = MapDataFormatter::of(facts_for_keys(map));
  const std::uint32_t key = 42;
  EXPECT_EQ(formatter.key(std::as_bytes(std::span{&key, 1})), "0x0000002a (42)");
}

} // namespace
} // namespace mapscope
