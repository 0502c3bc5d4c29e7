// Who holds the maps of a process: walks its object graph from variables, stacks and the runtime's
// own roots, as the collector does, but from outside and while it changes.
//
// What the walk brings is believed only where it still holds at the end: the map has its seed, and
// the word that led to it still points there.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_owner.h"
#include "flow/program_roots.h"
#include "flow/source.h"
#include "heap/census.h"
#include "heap/owners/owner_patterns.h"
#include "heap/runtime_data.h"
#include "heap/type_check.h"

namespace mapscope {

struct OwnerLimits {
  std::uint64_t memory_bytes_max =
      0; // of the walk itself; 0: a quarter of the heap, 64 MiB at least
  std::chrono::milliseconds cpu_max{30'000};
  std::uint64_t objects_max = 20'000'000;
  std::uint64_t words_max = 200'000'000; // that are followed
};

// One map of the census with what is known of its owner; 32 bytes.
struct OwnedMap {
  std::uint64_t address = 0;
  std::uint64_t word = 0;       // where the pointer to it lies; 0: none
  std::uint32_t seed = 0;       // its low half
  std::uint32_t pattern = 0;    // of OwnerPatterns; 0: none
  std::uint32_t type = kNoType; // index in Census::types that the path says; kNoType: it says none
  Reach reach = Reach::unknown;
  static constexpr std::uint32_t kNoType = 0xffffffff;
};

// What one pass found; also what the next pass of the same process starts from.
struct Owners {
  std::vector<OwnedMap> maps; // in the order of addresses
  OwnerPatterns patterns;
  OwnerCounts counts;
  // Of the last walk: maps that moved since, when it ended (monotonic), and what it took.
  std::uint64_t changed_count = 0, walked_at_ns = 0, walk_cpu_ns = 0;

  const OwnedMap *find(ProcessAddress address, std::uint64_t seed) const;
};

// What a pass needs to know of the process beside its memory.
struct OwnerContext {
  const HeapAnchors *anchors = nullptr;
  const BinaryFacts *facts = nullptr;
  LoadBias load_bias;
  const ProgramRoots *roots = nullptr;
  Symbolizer *symbolizer = nullptr; // names the functions of stack frames
};

// `type_check`: of the census (CensusMemory::type_check). `before`: the result of the last pass in
// this process, or null: while few maps have come since, only what it said is checked again.
// Raises the evidence of maps of the census to `referenced`, and tells their exact types there.
// Errors: unsupported (layout not known), as take_census().
Result<Owners> find_owners(AddressSpace &space, const OwnerContext &context, TypeCheck &type_check,
                           Census &census, const Owners *before, const OwnerLimits &limits = {});

// The path to one map, step by step, with addresses and indexes; followed anew from the word that
// leads to it. Empty: it is not reached. Errors: as AddressSpace::read.
Result<std::vector<OwnerStep>> explain_owner(AddressSpace &space, const OwnerContext &context,
                                             TypeCheck &type_check, const Owners &owners,
                                             ProcessAddress map);

} // namespace mapscope
