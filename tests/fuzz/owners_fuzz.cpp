// A pass over the object graph of a small program made by hand, of which the input changes words:
// variables, objects, maps, spans, bitmaps, types, itabs and dictionaries. Whatever they hold, the
// pass ends, and tells no more of a map than it may.
//
// The first byte says what the executable tells: a bit each for the variable, its type, the
// closure, and masked data. Then come edits, see heap_edits.h.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/fuzz_target.h"
#include "fuzz/heap_edits.h"
#include "heap/census.h"
#include "heap/census_memory.h"
#include "heap/owners/owners.h"
#include "support/synthetic_types.h"
#include "unit/heap/fake_heap.h"

using namespace mapscope;
using mapscope::testing::SyntheticTypes;

namespace {

constexpr std::uint64_t kEmptyGroup = 0x8080808080808080;
constexpr std::size_t kStepsMax = 2048; // more than there are objects: a path is no circle
constexpr std::uint64_t kClosureEntry = 0x400100;

void require(bool sound) {
  if (!sound)
    std::abort();
}

// main.Cache: {next *Cache, entries map[string]int64, any interface{}, list []*Cache, call func()}
struct Types {
  Types() {
    constexpr auto kPointer = GoKind::pointer;
    const auto cache_size = std::uint64_t{72};
    const auto word = made.add({.kind = GoKind::uintptr, .size_bytes = 8, .name = "uintptr"});
    const auto number = made.add({.kind = GoKind::int64, .size_bytes = 8, .name = "int64"});
    const auto string =
        made.add({.kind = GoKind::string, .size_bytes = 16, .pointer_bytes = 8, .name = "string"});
    const auto any = made.add_interface("interface {}", 0);
    const auto stringer = made.add_interface("fmt.Stringer", 1);
    map = made.add_map("map[string]int64", string, number, 24, 16);
    shape = made.add_map("map[go.shape.string]int64", string, number, 24, 16);
    pointer =
        made.add({.kind = kPointer, .size_bytes = 8, .pointer_bytes = 8, .name = "*main.Cache"});
    const std::uint64_t element = made.end();
    made.put<std::uint64_t>(0); // set below
    list = made.add(
        {.kind = GoKind::slice, .size_bytes = 24, .pointer_bytes = 8, .name = "[]*main.Cache"});
    made.put(pointer);
    const auto call =
        made.add({.kind = GoKind::function, .size_bytes = 8, .pointer_bytes = 8, .name = "func()"});
    made.put<std::uint64_t>(0);
    cache = made.add_struct({.kind = GoKind::structure,
                             .size_bytes = cache_size,
                             .pointer_bytes = cache_size,
                             .name = "main.Cache"},
                            {{"next", pointer, 0},
                             {"entries", map, 8},
                             {"any", any, 16},
                             {"list", list, 32},
                             {"call", call, 56},
                             {"last", pointer, 64}});
    made.set(element, cache);
    const auto dictionary_pointer =
        made.add({.kind = kPointer, .size_bytes = 8, .pointer_bytes = 8, .name = "*[4]uintptr"});
    made.put(made.end() + 8 + 16); // the array follows, behind its name
    const auto array =
        made.add_array({.kind = GoKind::array, .size_bytes = 32, .name = "[4]uintptr"}, word, 4);
    made.set(dictionary_pointer + TypeFields::kElement, array);
    closure = made.add_struct({.kind = GoKind::structure,
                               .size_bytes = 24,
                               .pointer_bytes = 24,
                               .name = "struct { F uintptr; X0 map; X1 *[4]uintptr }"},
                              {{"F", word, 0}, {"X0", shape, 8}, {"X1", dictionary_pointer, 16}});
    itab = made.end();
    for (const std::uint64_t part : {stringer, pointer, std::uint64_t{0}, kClosureEntry})
      made.put(part);
    dictionary = made.end();
    for (const std::uint64_t part : {string, number, map, cache})
      made.put(part);
    // All descriptors have a mask, and pointers lie in interfaces.
    for (const std::uint64_t type : {pointer, map, shape, list, cache, closure, call, string, any})
      made.set<std::uint64_t>(type + 32, SyntheticTypes::kStart);
    for (const std::uint64_t type : {pointer, map, shape, call})
      made.set<std::uint8_t>(type + TypeFields::kFlags, 1 << 5);
  }

  SyntheticTypes made;
  std::uint64_t map = 0, shape = 0, pointer = 0, list = 0, cache = 0, closure = 0, itab = 0,
                dictionary = 0;
};

struct Program : testing::FakeHeap {
  Program() {
    const Types types;
    const auto &bytes = types.made.bytes();
    memory.add(SyntheticTypes::kStart, bytes.size()) = bytes;
    anchors.types = {{SyntheticTypes::kStart}, bytes.size()};
    put_maps();
    put_caches(types);
    for (int i = 0; i < 4; ++i)
      add_span(1024, false);

    // var store *Cache, and words of which only the collector knows that they are pointers.
    memory.put(kData, caches);
    memory.put(kData + 8, types.pointer);
    memory.put(kData + 16, caches + 80);
    memory.put(kData + 24, headers + 48);
    memory.put(kData + 256, std::int32_t{32}); // gcbssmask
    memory.put(kData + 264, kData + 272);
    memory.put(kData + 272, std::uint64_t{0b1111});
    places = {
        kMheap,          kSpans,      kMspans,   kBits,         kHeapArenas + layout.arena_spans,
        headers,         groups,      caches,    closures,      lists,
        kData,           types.cache, types.map, types.closure, types.itab,
        types.dictionary};
    variable = {.name = "main.store",
                .address = {kData},
                .type = {types.pointer},
                .size_bytes = 8,
                .evidence = RootEvidence::dwarf};
    closure = {{kClosureEntry}, {types.closure}};
  }

  void put_maps() {
    for (unsigned slot = 0; slot < 4; ++slot) {
      allocate_header(headers, 0, slot);
      put_header(headers + 48 * slot, 3, groups + 208 * slot, 0);
      memory.put(groups + 208 * slot, (kEmptyGroup & ~0xffffffULL) | 0x112233);
    }
  }

  void put_caches(const Types &types) {
    const std::uint64_t bitmap = caches + kGoPageBytes - 256;
    for (unsigned slot = 0; slot < 3; ++slot) {
      const std::uint64_t cache = caches + 80 * slot;
      set_bit(kBits + 2 * 64, slot);
      for (const unsigned word : {0u, 1u, 3u, 4u, 7u, 8u})
        set_bit(bitmap, slot * 10 + word);
      memory.put(cache, caches + 80 * ((slot + 1) % 3));
      memory.put(cache + 8, headers + 48 * slot);
      memory.put(cache + 16, slot == 0 ? types.map : types.pointer);
      memory.put(cache + 24, slot == 0 ? headers : caches);
      memory.put(cache + 32, lists);
      memory.put(cache + 40, std::uint64_t{2});
      memory.put(cache + 48, std::uint64_t{2});
      memory.put(cache + 56, closures);
    }
    set_bit(kBits + 3 * 64, 0);
    memory.put(closures, kClosureEntry);
    memory.put(closures + 8, headers + 144);
    memory.put(closures + 16, types.dictionary);
    set_bit(kBits + 4 * 64, 0);
    for (const std::uint64_t at : {0u, 8u}) {
      set_bit(lists + kGoPageBytes - 256, static_cast<unsigned>(at / 8));
      memory.put(lists + at, caches + 80 * (at / 8));
    }
    for (const unsigned word : {1u, 2u})
      set_bit(closures + kGoPageBytes - 256, word);
  }

  ProgramRoots roots(unsigned told) const {
    ProgramRoots roots;
    if (told & 1)
      roots.variables.push_back(variable);
    if ((told & 3) == 1)
      roots.variables[0].type = {};
    if (told & 4)
      roots.closures.push_back(closure);
    if (told & 8)
      roots.masked.push_back({.range = {{kData}, 256}, .field = {kData + 256}});
    return roots;
  }

  std::uint64_t headers = add_span(48, true), groups = add_span(208, true),
                caches = add_span(80, true), closures = add_span(24, true),
                lists = add_span(16, true);
  std::vector<std::uint64_t> places;
  PackageVariable variable;
  ClosureCode closure;
};

void check(const Census &census, const Owners &owners) {
  require(owners.maps.size() <= census.maps.size());
  require(std::ranges::is_sorted(owners.maps, {}, &OwnedMap::address));
  for (const OwnedMap &map : owners.maps) {
    require(map.pattern < owners.patterns.size());
    require(map.type == OwnedMap::kNoType || map.type < census.types.size());
    require(map.pattern == OwnerPatterns::kNone || map.reach == Reach::reachable);
  }
}

} // namespace

MAPSCOPE_FUZZ_TARGET(owners_fuzz, data, size_bytes) {
  static const Program whole;
  if (size_bytes == 0)
    return 0;
  Program program = whole;
  testing::edit_heap(program.memory, program.places,
                     std::as_bytes(std::span{data, size_bytes}).subspan(1));
  CensusMemory memory;
  auto census = take_census(program.memory, program.anchors, program.facts,
                            {.tries_max = 4, .memory = &memory});
  if (!census || !memory.type_check)
    return 0;
  const ProgramRoots roots = program.roots(data[0]);
  const OwnerContext context{.anchors = &program.anchors, .facts = &program.facts, .roots = &roots};
  const OwnerLimits limits{
      .memory_bytes_max = 64 << 20, .objects_max = 1 << 16, .words_max = 1 << 20};
  auto owners = find_owners(program.memory, context, *memory.type_check, *census, nullptr, limits);
  if (!owners)
    return 0;
  check(*census, *owners);
  for (const OwnedMap &map : owners->maps) {
    (void)owners->patterns.describe(map.pattern, memory.type_check->index().go_types());
    if (const auto steps =
            explain_owner(program.memory, context, *memory.type_check, *owners, {map.address}))
      require(steps->size() <= kStepsMax);
  }
  if (auto again =
          find_owners(program.memory, context, *memory.type_check, *census, &*owners, limits))
    check(*census, *again);
  return 0;
}
