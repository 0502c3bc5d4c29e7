// Any bytes as a snapshot. To mutate what checksums and compression would hide, the input is also
// taken as the items and the memory of one chunk, between a sound first item and a sound end.
//
// The first two bytes say how many of the others are memory.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "memory/mappings.h"
#include "memory/snapshot.h"
#include "support/snapshot_items.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    std::abort();
}

void look_at(std::span<const std::byte> bytes) {
  auto snapshot = Snapshot::open(ByteSource{bytes}, "fuzz");
  if (!snapshot)
    return;
  std::array<std::byte, 5000> into;
  std::vector<MemoryRead> reads;
  for (const std::uint64_t at : {0ULL, 0x1000ULL, 0xc000000000ULL, ~0ULL - 100})
    for (const std::size_t size : {0u, 1u, 8u, 5000u})
      reads.push_back({{at}, std::span{into}.first(size)});
  require((*snapshot)->read(reads).has_value());
  const std::array addresses{ElfAddress{0}, ElfAddress{10}, ElfAddress{0x401000}};
  require((*snapshot)->answers()->symbolize(addresses)->size() == addresses.size());
  if (const auto roots = (*snapshot)->answers()->roots())
    require(roots_from_bytes(roots_to_bytes(**roots), RootPlaces::of(*(*snapshot)->process().facts))
                .has_value());
  const auto mappings = (*snapshot)->mappings();
  require(!mappings || std::ranges::is_sorted(*mappings, {}, &Mapping::start));
  const std::array ranges{ProcessRange{{0}, 0x3000}, ProcessRange{{0xc000000000}, 0x100000}};
  if (const auto runs = (*snapshot)->resident_pages(ranges))
    for (const PageRun &run : *runs)
      require(run.range.size_bytes > 0);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(snapshot_fuzz, data, size_bytes) {
  const auto bytes = std::as_bytes(std::span{data, size_bytes});
  look_at(bytes);
  (void)parse_mappings({reinterpret_cast<const char *>(data), size_bytes});

  const std::size_t wish = size_bytes < 2 ? 0 : data[0] | std::size_t{data[1]} << 8;
  const auto rest = bytes.subspan(std::min<std::size_t>(2, size_bytes));
  const std::size_t memory_bytes = std::min(wish, rest.size());
  look_at(snapshot_of(rest.first(rest.size() - memory_bytes), rest.last(memory_bytes)));
  return 0;
}
