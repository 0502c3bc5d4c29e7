// Small rows must lose nothing.
#include "heap/map_table.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(MapTableTest, GivesBackWhatItWasGiven) {
  const MapSample small{.address = {0xc000012340},
                        .seed = 0x123456789abcdef0,
                        .len = 12,
                        .slots = 16,
                        .tombstones = 2,
                        .group_bytes = 136,
                        .evidence = MapEvidence::consistent,
                        .types = 7,
                        .bytes = {48, 40, 16, 256, 16, 0, 0, 0},
                        .resident_bytes = 300,
                        .swapped_bytes = 76};
  MapTable table;
  std::vector<MapSample> given{small};
  // Each field beyond what a row holds, one at a time.
  auto add = [&](auto change) {
    MapSample sample = small;
    change(sample);
    given.push_back(sample);
  };
  add([](MapSample &s) { s.len = 1ULL << 32; });
  add([](MapSample &s) { s.slots = 1ULL << 33; });
  add([](MapSample &s) { s.tombstones = 1 << 16; });
  add([](MapSample &s) { s.group_bytes = 1 << 16; });
  add([](MapSample &s) { s.evidence = MapEvidence::plausible; });
  add([](MapSample &s) { s.bytes.header = 256; });
  add([](MapSample &s) { s.bytes.directory = 1ULL << 32; });
  add([](MapSample &s) { s.bytes.control = 1ULL << 32; });
  add([](MapSample &s) { s.bytes.cells = 1ULL << 32; });
  add([](MapSample &s) { s.bytes.rounding = 1 << 16; });
  add([](MapSample &s) { s.bytes.overflow = 8; });
  add([](MapSample &s) { s.bytes.old = 8; });
  add([](MapSample &s) { s.bytes.indirect = 8; });
  add([](MapSample &s) { s.bytes.indirect = 1ULL << 32; });
  add([](MapSample &s) { s.bytes.control = 17; });
  add([](MapSample &s) { s.bytes.control = 32; });
  add([](MapSample &s) { s.bytes.header = 64; });
  add([](MapSample &s) { s.bytes.header = 0, s.is_on_stack = true; });
  add([](MapSample &s) { s.evidence = MapEvidence::proved; });
  add([](MapSample &s) { s.types = 0xffffffff; });
  add([](MapSample &s) { s.history.was_cleared = true; });
  add([](MapSample &s) { s.history.has_deletions = true; });
  add([](MapSample &s) { s.history.has_grown = true; });
  add([](MapSample &s) { s.history.was_hinted = true; });
  add([](MapSample &s) { s.old_buckets = 16, s.evacuated_buckets = 3; });
  add([](MapSample &s) { s.old_buckets = 1ULL << 32; });
  add([](MapSample &s) { s.resident_bytes = s.swapped_bytes = 0; });
  add([](MapSample &s) { s.swapped_bytes = 70; });
  add([](MapSample &s) { s.resident_bytes = 1ULL << 32; });
  for (const MapSample &sample : given)
    table.add(sample);
  ASSERT_EQ(table.size(), given.size());
  for (std::size_t i = 0; i < given.size(); ++i)
    EXPECT_EQ(table[i], given[i]) << i;
}

} // namespace
} // namespace mapscope
