// One map of the kernel as it is told to people, rules and machines: what it is, how full, how
// busy, and how each figure was come by. What is not known is absent, never zero.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/process_identity.h"

namespace mapscope {

// How a figure was come by.
enum class BpfMethod : std::uint8_t {
  unknown, // there is none
  counted, // by the kernel's own counter or positions: exact at that moment
  walked,  // every key was gone through; what changed meanwhile is in or out
  sampled, // estimated from a part; see the error
};
inline constexpr std::array<std::string_view, 4> kBpfMethodNames = {"unknown", "counted", "walked",
                                                                    "sampled"};

// What the kernel's memory figure of a map is; it differs from release to release.
enum class BpfMemoryMethod : std::uint8_t {
  unknown,
  accounted,  // what the map holds right now (6.4 and newer)
  charged,    // what it was charged for when it was made (before 5.11)
  arithmetic, // keys and values times max_entries, whatever the type (5.11 to 6.3): not told as
              // bytes
};
inline constexpr std::array<std::string_view, 4> kBpfMemoryMethodNames = {"unknown", "accounted",
                                                                          "charged", "arithmetic"};

struct BpfMapProgram {
  std::uint32_t id = 0;
  std::string name, type; // "xdp", "tracing", ...
};

// A process that holds a descriptor of the map, or of a program or link that uses it.
struct BpfMapHolder {
  ProcessIdentity process;
  bool directly = false; // a descriptor of the map itself
};

struct BpfMapFacts {
  std::uint32_t id = 0;
  std::string name, type;        // "hash", "ringbuf", ...; "type 77": this build does not know it
  std::uint32_t type_number = 0; // enum bpf_map_type
  std::uint32_t key_bytes = 0, value_bytes = 0, max_entries = 0;
  std::uint32_t flags = 0; // BPF_F_*
  std::vector<std::string> flag_names;
  std::uint64_t extra = 0;
  std::uint32_t btf_id = 0;         // 0: made without BTF
  std::string key_type, value_type; // as C writes them; empty: not known
  std::optional<bool> is_frozen;
  std::optional<std::uint64_t> memory_bytes;
  BpfMemoryMethod memory_method = BpfMemoryMethod::unknown;
  std::vector<std::string> pinned_paths;
  std::vector<BpfMapProgram> programs;
  std::vector<BpfMapHolder> holders;
  // The unit or container that all holders share, else the one program that holds it, "kernel"
  // where only an attached program keeps it; empty: not known.
  std::string owner;
  // No later than this; the kernel does not keep when a map was made, but when programs were
  // loaded.
  std::optional<std::uint64_t> created_before_wall_ns;
  std::string created_by_word; // whose time that is: "program 12 was loaded"
  bool is_own = false;         // one of mapscope's
  // It has neither a limit of its own nor one that it could reach in memory: see bpf-unbounded.
  std::string problem; // why something of all this is not known, a sentence
};

// How full. For ring buffers the unit is bytes: `entries` absent, `used_bytes` of max_entries.
struct BpfMapFill {
  std::optional<std::uint64_t> entries;
  std::optional<std::uint64_t> used_bytes;
  BpfMethod method = BpfMethod::unknown;
  std::uint64_t error = 0;    // of either; two standard deviations, 0: none
  std::optional<double> fill; // of max_entries, 0..1; absent: not known or without meaning
  std::string note;           // how it was counted, or why it can't be: a phrase
};

// Times a second, with bounds that hold whatever the programs did. `upper` absent: not bounded.
struct BpfRate {
  std::optional<double> exact;    // seen: what was counted in the window
  std::optional<double> estimate; // between the bounds
  double lower = 0;               // of the estimate
  std::optional<double> upper;    // of the estimate
  std::string note;               // why there is no estimate or no upper bound: a phrase
};

// What happened to a map in a window.
struct BpfMapRates {
  std::uint64_t window_ns = 0; // 0: nobody looked
  // Through bpf(2): counted. `exact` only.
  BpfRate system_lookups, system_updates, system_deletes;
  // By programs: run counts times call sites; exact where a probe point allows.
  BpfRate program_lookups, program_updates, program_deletes;
  // Updates that failed, by errno name ("E2BIG"); absent: no probe point sees them all.
  std::map<std::string, std::uint64_t> insert_failures; // in the window
  bool sees_program_failures = false;                   // else of bpf(2) only
  std::uint64_t lost = 0;                               // calls that were seen but not attributed
};

// A key that was seen often.
struct BpfKeyCount {
  std::string key; // BTF-formatted, or hex
  std::uint64_t count = 0;
};

// Which keys a map is asked for, or holds.
struct BpfKeyDistribution {
  std::string of;                    // "lookups through bpf(2)", "keys that the map holds", ...
  std::uint64_t sampled = 0;         // keys seen
  std::uint64_t distinct = 0;        // different ones among them
  std::vector<BpfKeyCount> top;      // the most frequent first
  std::vector<BpfKeyCount> prefixes; // by leading bytes, the most frequent first
  double entropy_bits = 0;           // of the sample: log2(distinct) where all are alike
};

struct BpfTimeToFull {
  std::optional<double> seconds;      // absent: it does not fill, or that is not known
  std::optional<double> lower, upper; // of a 95 % interval; upper absent: perhaps never
  double entries_per_second = 0;
  std::string note; // "too few looks yet"
};

struct BpfMapSample {
  BpfMapFacts facts;
  BpfMapFill fill;
  std::optional<BpfMapRates> rates;
  std::optional<BpfTimeToFull> time_to_full;
  std::optional<BpfKeyDistribution> keys; // taken where a rule wants it
  std::string key_file;                   // where its keys were written; empty: they were not
};

// One look at all of them.
struct BpfMapsLook {
  std::uint64_t time_ns = 0;         // CLOCK_MONOTONIC
  std::vector<BpfMapSample> maps;    // by id
  std::uint64_t cpu_ns = 0;          // what the look cost
  std::uint64_t vanished = 0;        // went away in the middle
  std::uint64_t not_counted = 0;     // for which the budget did not suffice
  std::vector<std::string> problems; // what could not be found out of any map, a sentence each
};

} // namespace mapscope
