// What the daemon's rules are told: one look at a process, what probes saw, how a verification
// ended, that a process came or went. Everything a rule knows is in here, its time included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "flow/bpf_map.h"
#include "flow/judged_map.h"
#include "flow/process_identity.h"
#include "flow/process_sample.h"
#include "flow/rule.h"
#include "flow/source.h"

namespace mapscope {

// One map that is large enough for any rule to care, judged.
struct SampledMap {
  ProcessAddress address; // with the seed, which map it is
  std::uint64_t seed = 0;
  std::string type;                // empty: not known
  std::string owner;               // MapOwner::holder, or its path; empty: not known
  std::optional<SourceFrame> site; // that made it grow, or created it
  bool is_unreachable = false;     // garbage that the next collection frees
  std::uint64_t len = 0, slots = 0, bytes = 0;
  std::optional<std::uint64_t> reclaimable_bytes;
  MapCause cause = MapCause::none;
  std::string explanation, advice; // sentences, as JudgedMap has them
};

// How near a process is to being killed, or to collecting all the time. Absent: no such limit.
struct MemoryLimits {
  std::uint64_t resident_bytes = 0;
  std::optional<std::uint64_t> cgroup_bytes, cgroup_limit_bytes; // the tightest one above it
  std::optional<std::uint64_t> go_used_bytes, go_limit_bytes;    // GOMEMLIMIT, and what it counts
};

// Times are CLOCK_MONOTONIC nanoseconds.

struct ProcessAppeared {
  std::uint64_t time_ns = 0;
  ProcessIdentity process;
};

struct ProcessEnded {
  std::uint64_t time_ns = 0;
  ProcessKey process;
};

struct CensusSample {
  std::uint64_t time_ns = 0; // when the memory was read
  ProcessKey process;
  HeapStatistics heap; // without size classes
  std::uint64_t map_count = 0, map_entries = 0, map_bytes = 0, map_reclaimable_bytes = 0;
  std::uint64_t map_reclaimable_unknown = 0; // maps of which map_reclaimable_bytes has nothing
  // By the runtime's own sampled profile, since the start; absent: it runs without one.
  std::optional<std::uint64_t> allocated_bytes, allocated_by_maps_bytes;
  MemoryLimits limits;
  // Maps above the floors of CensusNeeds, the largest first. A map that is missing here is gone or
  // small now, unless one of the next three says otherwise.
  std::vector<SampledMap> maps;
  std::uint64_t maps_left_out = 0; // above the floors too, beyond the number that is kept
  std::vector<ProcessAddress> maps_unsettled; // changed faster than they could be read
  bool is_partial = false;                    // parts of the heap were not looked into
  bool is_unchanged = false; // the process has not run since the last sample: all is as it was
};

// Absent: of none of its maps.
inline std::optional<std::uint64_t> known_reclaimable_bytes(const CensusSample &sample) {
  return sample.map_count != 0 && sample.map_reclaimable_unknown >= sample.map_count
             ? std::nullopt
             : std::optional{sample.map_reclaimable_bytes};
}

// Growths and creations by the line that causes them, watched for moments.
struct SiteRate {
  SourceFrame site;
  std::string type;          // empty: not known
  std::uint64_t growths = 0; // seen while watched
  std::uint64_t creations = 0;
  double growths_per_minute = 0; // estimated from the moments
  double creations_per_second = 0;
  double relative_error = 0;   // of both; two standard deviations
  std::uint64_t slots_max = 0; // the most that one of these maps grew to
};

struct RateSample {
  std::uint64_t time_ns = 0;
  ProcessKey process;
  std::uint64_t watched_ns = 0; // in all, of the time since the last one
  std::uint64_t hits = 0, lost = 0;
  std::vector<SiteRate> sites; // the busiest first
};

struct MisuseSample {
  std::uint64_t time_ns = 0;
  ProcessKey process;
  std::string message; // the runtime's: "concurrent map writes"
  bool is_fatal = false;
  std::string type;
  std::optional<SourceFrame> site;
  std::uint64_t goroutine = 0;
  std::vector<std::string> others; // sentences: who else used the map
};

struct FileIoCall {
  std::string call, path, operation;
  std::optional<SourceFrame> site;
  std::string cause; // empty: not known
  std::uint64_t count = 1;
};

// How one verification window ended.
struct VerifySample {
  std::uint64_t time_ns = 0;
  ProcessKey process;
  std::string verdict; // "clean", "violated", "inconclusive"
  std::vector<std::string> reasons;
  std::uint64_t operations = 0, duration_ns = 0;
  std::vector<FileIoCall> violations;
};

// The kernel's own maps: told of the process kKernel.
struct BpfMapsSample {
  std::uint64_t time_ns = 0;
  BpfMapsLook look;
};
inline constexpr ProcessKey kKernel{}; // pid 0

using RuleInput = std::variant<ProcessAppeared, ProcessEnded, CensusSample, RateSample,
                               MisuseSample, VerifySample, BpfMapsSample>;

// What the rules in force need to be told: whatever none of them needs is not looked for.
struct CensusNeeds {
  bool census = false;
  std::uint64_t min_bytes = UINT64_MAX;   // maps of so many bytes,
  std::uint64_t min_entries = UINT64_MAX; // or of so many entries
  bool limits = false;                    // MemoryLimits
};
struct BpfNeeds {
  bool looks = false;
  bool rates = false, insert_failures = false;
  // The keys of a map that one of these judges are written to a file once it is full, and sampled
  // once it is looked up so often.
  std::vector<BpfFillRule> key_files;
  std::vector<BpfLookupsRule> key_samples;
};
struct RuleNeeds {
  CensusNeeds census;
  bool growth_rates = false, creation_rates = false;
  bool misuse = false;
  bool verify = false;
  BpfNeeds bpf;
};

} // namespace mapscope
