// A map with what a person needs to act on it: where its bytes go, what a rebuild would free, why,
// and what to do. Made by judge/, shown by report/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/map_owner.h"
#include "flow/map_sample.h"
#include "flow/map_type_layout.h"

namespace mapscope {

// Every byte of MapSample::bytes once. Absent where the type would have to be known and is not;
// then the bytes in question are in what stands beside it, as the comment says.
struct BytesByCause {
  std::optional<std::uint64_t> entries; // keys and elements of len entries, without padding; if
                                        // `padding` is absent, with it; absent: in `empty`
  std::optional<std::uint64_t> padding; // of these entries: alignment, and inside structs
  std::uint64_t empty = 0;              // cells without an entry, whole
  std::uint64_t tombstones = 0;         // cells that deleted entries keep, whole
  std::uint64_t control = 0;            // control words; tophash and overflow pointers
  std::uint64_t overflow = 0, old = 0, indirect = 0, directory = 0, header = 0;
  std::uint64_t size_class = 0;

  std::uint64_t total() const {
    return entries.value_or(0) + padding.value_or(0) + empty + tombstones + control + overflow +
           old + indirect + directory + header + size_class;
  }
  friend bool operator==(const BytesByCause &, const BytesByCause &) = default;
};

enum class MapCause : std::uint8_t {
  none,
  emptied,      // held far more entries than now
  over_hinted,  // made for far more entries than it ever held
  mostly_empty, // one of these two; nothing tells which
  tombstones,
  overflow,    // chains of overflow buckets
  old_buckets, // a growth that is not finished holds both arrays
  no_hint,     // grew step by step: what that copied, a hint would have saved
  padding,
  known_defect, // of this Go release
};

struct JudgedMap {
  MapSample map;
  TypeCertainty certainty = TypeCertainty::unknown;
  std::string type;                    // exact, or what all candidates share; empty: not known
  std::vector<std::string> candidates; // names, where there are several; the first few
  std::uint64_t candidate_count = 0;
  BytesByCause by_cause;
  std::optional<std::uint64_t> rebuilt_bytes;     // of make(map, len) with the same entries
  std::optional<std::uint64_t> reclaimable_bytes; // bytes - rebuilt, never below 0
  MapCause cause = MapCause::none;
  std::string explanation; // of the cause, with its numbers; a sentence
  std::string advice;      // what to do, with the line of Go where there is one; may be empty
  MapOwner owner;
  MapSite site;
  std::vector<SiteShare> written_at; // what probes saw write to it (--learn); samples are hits
};

} // namespace mapscope
