// The rules of the daemon as the configuration says them: a name, a kind with its thresholds, how
// long they must hold, and for which processes. Judged by judge/rules/.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mapscope {

using Seconds = std::chrono::seconds;

// Which processes. Each list is alternatives; an empty one lets all through. Patterns are globs as
// fnmatch(3) takes them: "/usr/bin/*", "*.service".
struct ProcessSelector {
  std::vector<std::string> exe, command_line, unit, cgroup, user, container;
  bool empty() const {
    return exe.empty() && command_line.empty() && unit.empty() && cgroup.empty() && user.empty() &&
           container.empty();
  }
  friend bool operator==(const ProcessSelector &, const ProcessSelector &) = default;
};

// One struct for each kind; what it is about stands in design section 5 and docs/rules.md. Bytes
// are of the heap, shares are between 0 and 1.

struct MapWasteRule {
  std::uint64_t min_reclaimable_bytes = 64U << 20;
  double min_share = 0.5; // reclaimable, of the map's bytes
  friend bool operator==(const MapWasteRule &, const MapWasteRule &) = default;
};
struct MapFillRule {
  double max_fill = 0.1;
  std::uint64_t min_bytes = 128U << 20;
  friend bool operator==(const MapFillRule &, const MapFillRule &) = default;
};
struct MapEntriesRule {
  std::uint64_t max_entries = 50'000'000;
  friend bool operator==(const MapEntriesRule &, const MapEntriesRule &) = default;
};
struct MapBytesRule {
  std::uint64_t max_bytes = 4ULL << 30;
  friend bool operator==(const MapBytesRule &, const MapBytesRule &) = default;
};
// Either a rate over the window, or so many censuses in a row without once falling; both need the
// floor. Absent: not asked.
struct MapGrowthRule {
  std::optional<std::uint64_t> bytes_per_minute;
  std::optional<std::uint64_t> entries_per_minute;
  Seconds window{600};
  std::optional<std::uint32_t> censuses_in_a_row;
  std::uint64_t min_bytes = 64U << 20;
  friend bool operator==(const MapGrowthRule &, const MapGrowthRule &) = default;
};
struct MapEmptiedRule {
  double max_share_of_peak = 0.1; // len, of the most that a census saw
  std::uint64_t min_bytes = 32U << 20;
  friend bool operator==(const MapEmptiedRule &, const MapEmptiedRule &) = default;
};
struct MapRehashStormRule {
  double growths_per_minute = 600'000;
  friend bool operator==(const MapRehashStormRule &, const MapRehashStormRule &) = default;
};
struct MapChurnRule {
  double maps_per_second = 100'000;
  friend bool operator==(const MapChurnRule &, const MapChurnRule &) = default;
};
struct MapShareRule {
  double max_share = 0.8; // bytes of maps, of the live heap
  std::uint64_t min_bytes = 1ULL << 30;
  friend bool operator==(const MapShareRule &, const MapShareRule &) = default;
};
struct HeapGrowthRule {
  std::uint64_t bytes_per_minute = 50'000'000;
  double min_map_share = 0.3; // allocated by map functions, of all bytes allocated
  Seconds window{600};
  friend bool operator==(const HeapGrowthRule &, const HeapGrowthRule &) = default;
};
struct AllocsMinusFreesRule {
  std::uint64_t min_live_objects = 50'000'000;
  Seconds window{3600}; // in which they never fall
  friend bool operator==(const AllocsMinusFreesRule &, const AllocsMinusFreesRule &) = default;
};
struct MemoryLimitRule {
  double max_share = 0.9; // of the cgroup's or the runtime's limit
  friend bool operator==(const MemoryLimitRule &, const MemoryLimitRule &) = default;
};
struct MapMisuseRule {
  friend bool operator==(const MapMisuseRule &, const MapMisuseRule &) = default;
};
struct FileIoRule {
  friend bool operator==(const FileIoRule &, const FileIoRule &) = default;
};

// About the kernel's own maps. `maps` are globs on their names, `types` on their types; both empty:
// all but mapscope's own.
struct BpfFillRule {
  double max_fill = 0.9;          // entries, of max_entries
  Seconds full_within{900};       // or: it will be full so soon, by its growth,
  double min_fill = 0.5;          // and is filled so far already; full_within 0: not asked
  std::uint32_t min_entries = 16; // smaller maps are made to be full
  std::vector<std::string> maps, types;
  friend bool operator==(const BpfFillRule &, const BpfFillRule &) = default;
};
struct BpfLookupsRule {
  double lookups_per_second = 10'000; // even by the lower bound of the estimate
  std::vector<std::string> maps, types;
  friend bool operator==(const BpfLookupsRule &, const BpfLookupsRule &) = default;
};
struct BpfUnboundedRule {
  std::uint64_t max_declared_bytes = 1ULL << 30; // that it holds, or may once it is full
  std::vector<std::string> maps, types;
  friend bool operator==(const BpfUnboundedRule &, const BpfUnboundedRule &) = default;
};
struct BpfInsertFailuresRule {
  double failures_per_minute = 1;
  std::vector<std::string> maps, types;
  friend bool operator==(const BpfInsertFailuresRule &, const BpfInsertFailuresRule &) = default;
};

using RuleCondition =
    std::variant<MapWasteRule, MapFillRule, MapEntriesRule, MapBytesRule, MapGrowthRule,
                 MapEmptiedRule, MapRehashStormRule, MapChurnRule, MapShareRule, HeapGrowthRule,
                 AllocsMinusFreesRule, MemoryLimitRule, MapMisuseRule, FileIoRule, BpfFillRule,
                 BpfLookupsRule, BpfUnboundedRule, BpfInsertFailuresRule>;

// As configuration, labels and JSON have them; by RuleCondition::index().
inline constexpr std::array<std::string_view, std::variant_size_v<RuleCondition>> kRuleKindNames = {
    "map-waste",          "map-fill",         "map-entries",        "map-bytes", "map-growth",
    "map-emptied",        "map-rehash-storm", "map-churn",          "map-share", "heap-growth",
    "allocs-minus-frees", "memory-limit",     "map-misuse",         "file-io",   "bpf-fill",
    "bpf-lookups",        "bpf-unbounded",    "bpf-insert-failures"};
inline std::string_view kind_name_of(const RuleCondition &condition) {
  return kRuleKindNames[condition.index()];
}

enum class Severity : std::uint8_t { info, warning, critical };
inline constexpr std::array<std::string_view, 3> kSeverityNames = {"info", "warning", "critical"};

struct Rule {
  std::string name; // unique; [a-zA-Z0-9_-]
  RuleCondition condition;
  Severity severity = Severity::warning;
  Seconds hold{0};         // the condition must hold so long before it fires
  Seconds keep{0};         // and must be gone so long before it resolves
  double hysteresis = 0.1; // how far a value must fall below its threshold to be gone
  std::map<std::string, std::string> labels; // added to its alerts
  ProcessSelector only;                      // which processes it is about
};

} // namespace mapscope
