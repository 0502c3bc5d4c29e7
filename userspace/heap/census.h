// Every map on the heap of a Go process, read from outside while it runs.
//
// Not seen: maps whose header lies on a goroutine's stack.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/map_sample.h"
#include "flow/map_type_layout.h"
#include "flow/process_sample.h"
#include "heap/map_table.h"
#include "heap/runtime_data.h"

namespace mapscope {

enum class CensusLevel {
  headers, // addresses, seeds and lengths; slots and bytes are 0, all evidence is plausible
  maps,    // and what headers point to
};

class CensusMemory; // heap/census_memory.h
class TypeCheck;    // heap/type_check.h

struct CensusOptions {
  CensusLevel level = CensusLevel::maps;
  // Maps that are decoded together: more read fewer pages twice, fewer stay in the processor's
  // caches. 2^13 took a tenth less time than 2^15 where neighbours were made together.
  std::uint32_t maps_at_once = 1 << 13;
  // Maps whose directory or array of buckets is larger are decoded alone.
  std::uint64_t contents_bytes_at_once = 1 << 20;
  unsigned tries_max = 20; // of a map that contradicts itself, since it may be changing
  bool types = true;       // tell types, and prove maps by the hashes of their keys
  bool residency = false;  // tell which of a map's bytes are in memory
  // What is not done by then is left out, and counted: memory that lies may ask for any amount.
  std::chrono::milliseconds time_max{60'000};
  // What an earlier census of the same process learned, and where this one leaves what it learns:
  // types and hashes are looked at once for each address and seed.
  CensusMemory *memory = nullptr;
};

// A header that points to what another header points to: a bitwise copy. Which of the two is the
// map is not known; one is among the maps, this one is not.
struct HeaderCopy {
  ProcessAddress address;
  ProcessAddress contents; // directory, group or buckets that both have
};

struct Census {
  static constexpr std::size_t kUnsettledMax = 4096;

  MapTable maps; // in the order of addresses, but for those that were read again
  std::vector<HeaderCopy> copies;
  std::vector<ProcessAddress> unsettled; // headers of the first kUnsettledMax that did not settle
  CensusCounts counts;
  HeapStatistics heap;
  bool has_residency = false; // which bytes of maps are in memory or in swap is known

  // Every map type of the process, and the sets of them (indexes, ascending) that maps may have.
  // MapSample::types is an index of a set; set 0 is empty.
  std::vector<MapTypeLayout> types;
  std::vector<std::vector<std::uint32_t>> type_sets{{}};
  // What told them, for those who look further; null: types were not looked at.
  std::shared_ptr<TypeCheck> type_check;
};

// Errors: unsupported (layout not known, heap too large), not_found (no Go heap: the program may
// have just started), as AddressSpace::read.
Result<Census> take_census(AddressSpace &space, const HeapAnchors &anchors,
                           const BinaryFacts &facts, const CensusOptions &options = {});

} // namespace mapscope
