// The memory profile of a hostile process: records on spans, buckets, their list and the maps that
// were sampled, of which the input changes words. The input is edits, see heap_edits.h.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "fuzz/heap_edits.h"
#include "heap/census.h"
#include "heap/sites/allocation_totals.h"
#include "heap/sites/map_sites.h"
#include "heap/sites/sampled_parts.h"
#include "unit/heap/fake_heap.h"

using namespace mapscope;

namespace {

constexpr std::uint64_t kEmptyGroup = 0x8080808080808080;
constexpr std::uint64_t kSpecials = 0x70000000, kBuckets = 0x71000000;
constexpr std::uint64_t kText = 0x400000;

void require(bool sound) {
  if (!sound)
    std::abort();
}

// Every address is a line of main.
class Lines : public Symbolizer {
public:
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    return std::vector<SourceFrames>(addresses.size(), {{"main.fill", "main.go", 7, false}});
  }
};

// Four maps, of which the first three have their header and their group sampled.
struct Program : testing::FakeHeap {
  Program() {
    for (int i = 0; i < 8; ++i)
      add_span(1024, false);
    for (unsigned slot = 0; slot < 4; ++slot) {
      allocate_header(headers, 0, slot);
      put_header(headers + 48 * slot, 3, groups + 144 * slot, 0);
      memory.put(groups + 144 * slot, (kEmptyGroup & ~0xffffffULL) | 0x112233);
      set_bit(kBits + 64, slot);
    }
    memory.add(kSpecials, 8192);
    memory.add(kBuckets, 1 << 15);
    put_list(0, 48, 0);
    put_list(1, 144, 1);
    facts.variables.memory_profile_rate = {kData + 64};
    facts.variables.memory_buckets = {kData + 72};
    memory.put(kData + 64, std::uint64_t{512 << 10});
    memory.put(kData + 72, kBuckets);
    facts.text = {{kText}, 0x10000};
    facts.map_functions = {{"runtime.mapassign_fast64", {{kText}, 0x1000}}};
    facts.map_ranges = {{{kText}, 0x1000}};
  }

  std::uint32_t at(std::string_view field) const { return facts.layout.find(field).value(); }

  // A record for each of three objects of a span, all of one bucket.
  void put_list(std::size_t span, std::uint64_t object_bytes, unsigned bucket) {
    const std::uint64_t first = kSpecials + span * 4096;
    memory.put(mspan_of(span) + at("runtime.mspan.specials"), first);
    for (unsigned i = 0; i < 3; ++i) {
      const std::uint64_t special = first + 64 * std::uint64_t{i};
      memory.put(special + at("runtime.special.next"), i == 2 ? 0 : special + 64);
      memory.put(special + at("runtime.special.offset"), object_bytes * i);
      memory.put(special + at("runtime.special.kind"), std::uint8_t{4});
      memory.put(special + at("runtime.specialprofile.b"), bucket_at(bucket));
    }
    const std::uint64_t here = bucket_at(bucket);
    memory.put(here + at("runtime.bucket.allnext"), bucket == 0 ? bucket_at(1) : 0);
    memory.put(here + at("runtime.bucket.typ"), std::uint64_t{1});
    memory.put(here + at("runtime.bucket.size"), object_bytes);
    memory.put(here + at("runtime.bucket.nstk"), std::uint64_t{3});
    const std::uint64_t stack = here + at("runtime.bucket");
    for (unsigned i = 0; i < 3; ++i)
      memory.put(stack + 8 * std::uint64_t{i}, kText + 0x800 * std::uint64_t{i} + 5);
    memory.put(stack + 24 + at("runtime.memRecord.active.allocs"), std::uint64_t{9});
    memory.put(stack + 24 + at("runtime.memRecord.active.frees"), std::uint64_t{6});
  }
  static std::uint64_t bucket_at(unsigned bucket) { return kBuckets + 512 * std::uint64_t{bucket}; }

  std::uint64_t headers = add_span(48, true), groups = add_span(144, false);
};

void look(Program &program) {
  (void)read_allocation_totals(program.memory, program.facts, {});
  const auto layout = HeapLayout::from(program.facts);
  const auto root = find_heap(program.memory, program.anchors, *layout);
  if (!root)
    return;
  const auto spans = SpanTable::read(program.memory, *root, *layout);
  const auto census = take_census(program.memory, program.anchors, program.facts, {.types = false});
  if (!spans || !census)
    return;
  const auto profile = read_allocation_profile(program.memory, program.facts, {}, *layout, *spans,
                                               {.objects_max = 1 << 12, .buckets_max = 1 << 10});
  if (!profile)
    return;
  require(std::ranges::is_sorted(profile->objects, {}, &SampledObject::address));
  for (const SampledObject &object : profile->objects)
    require(object.bucket < profile->buckets.size());
  const auto parts =
      find_sampled_parts(program.memory, program.facts, *layout, *spans, census->maps, *profile);
  if (!parts)
    return;
  Lines lines;
  const auto sites = MapSites::make(
      *profile, *parts, [](std::uint64_t) { return SitePattern{1, 1}; }, program.facts, {}, lines);
  if (!sites)
    return;
  for (std::size_t i = 0; i < census->maps.size(); ++i)
    (void)sites->of(census->maps.brief(i).address, {1, 1});
  for (const SiteUse &use : sites->uses())
    require(use.stack.size() <= 1024);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(sites_fuzz, data, size_bytes) {
  static const Program whole;
  Program program = whole;
  const std::array places = {kSpecials,       kSpecials + 64,    kSpecials + 4096, kBuckets,
                             kBuckets + 512,  kBuckets + 0x2000, Program::kMspans, Program::kData,
                             Program::kMheap, program.headers,   program.groups,   Program::kBits};
  testing::edit_heap(program.memory, places, std::as_bytes(std::span{data, size_bytes}));
  look(program);
  return 0;
}
