// What a census leaves for the next one of the same process: of each map, what had to be worked out
// from its contents, and digests of what this followed from. While header and tables are what they
// were, so is all of it.
//
// Not remembered, and so decoded anew each time: classic maps that grow, or that have more than
// 2^15 buckets, since their header does not tell when overflow buckets come and go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "flow/map_sample.h"
#include "heap/decoded_map.h"
#include "heap/group_size.h"
#include "heap/headers.h"
#include "heap/map_references.h"

namespace mapscope {

class TypeCheck;

// 24 bytes, since there may be a million of them beside the maps themselves.
struct RememberedMap {
  std::uint32_t seed = 0; // its low half: with the address, the identity of the map
  std::uint32_t header_digest = 0, tables_digest = 0;
  std::uint32_t types = kUnknownTypes;
  std::uint32_t indirect_bytes = 0;
  std::uint16_t group_bytes = 0; // that the sizes were worked out with
  std::uint16_t slot : 9 = 0;    // of the header in its page, in steps of 16 bytes
  std::uint16_t evidence : 2 = 0;
  std::uint16_t is_group_certain : 1 = 0; // MapSample::group_bytes says it
  std::uint16_t has_deletions : 1 = 0;
  // Overflow buckets, or what is held by pointer: not looked at again.
  std::uint16_t has_more_objects : 1 = 0;

  // Nothing that was worked out can have changed.
  bool holds(std::uint64_t seed_now, std::uint32_t digest_now) const {
    return seed == static_cast<std::uint32_t>(seed_now) && header_digest == digest_now;
  }
  // Whether that could be the size of its groups.
  bool fits(const GroupSizes &sizes) const {
    return group_bytes == 0 || (group_bytes >= sizes.first && group_bytes <= sizes.last);
  }
  // What a decoder does not work out again.
  void tell(DecodedMap &map) const;
};

// Of bytes that a map depends on. `place`: what else makes it different. `left_out`: the offset of
// a byte that does not count.
std::uint32_t digest_of(std::span<const std::byte> bytes, std::uint64_t place,
                        std::size_t left_out = static_cast<std::size_t>(-8));

class CensusMemory {
public:
  // What is known of each candidate; null: nothing. Candidates are in the order of addresses, and
  // behind those of the calls before.
  void find(std::span<const HeaderCandidate> candidates, std::vector<const RememberedMap *> &found);
  // Forgets what lies before this address, so that old and new never exist whole at once.
  void forget_before(std::uint64_t address);

  // A map that was accepted. finish_chunk() puts those of one chunk in order; a chunk lies behind
  // those before it.
  void note(const DecodedMap &map);
  void finish_chunk();

  std::size_t size() const { return maps_.size(); }

  // The types of the process and the sets of them, which the maps here are told of.
  std::shared_ptr<TypeCheck> type_check;
  ReferenceMemory references;

private:
  struct Page {
    std::uint64_t address = 0;
    std::uint64_t first = 0; // of its maps, counted from the first that ever was
  };
  struct Noted {
    std::uint64_t address = 0;
    RememberedMap map;
  };

  std::span<const Noted> sorted_notes();
  const RememberedMap *find(std::uint64_t address);

  std::deque<Page> pages_; // in the order of addresses
  std::deque<RememberedMap> maps_;
  std::uint64_t forgotten_ = 0; // maps that were in front of those
  std::vector<Noted> noted_;    // of this chunk

  std::size_t page_ = 0;         // where the last one was looked for
  std::uint64_t found_page_ = 0; // its address; 0: it was not there
  std::uint64_t next_ = 0;       // the next map in it
};

} // namespace mapscope
