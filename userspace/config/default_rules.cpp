// The rules that are in force where the file says nothing. Sensible on a busy host: every one has
// a floor below which nobody would act, and holds for minutes where a moment proves nothing.
#include <chrono>
#include <utility>

#include "config/config.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;

Rule rule(RuleCondition condition, Severity severity, Seconds hold, Seconds keep) {
  return {.name = std::string{kind_name_of(condition)},
          .condition = std::move(condition),
          .severity = severity,
          .hold = hold,
          .keep = keep};
}

// What maps hold without need. `map-waste` is the one to act on; the two others tell the same map
// in other words, and so disturb nobody.
void add_bloat(std::vector<Rule> &rules) {
  // Half of a map is never reclaimable by growing alone: it would need as much in a fresh one.
  rules.push_back(rule(MapWasteRule{.min_reclaimable_bytes = 64 * kMiB, .min_share = 0.5},
                       Severity::warning, 10min, 5min));
  rules.push_back(
      rule(MapFillRule{.max_fill = 0.1, .min_bytes = 128 * kMiB}, Severity::info, 30min, 5min));
  rules.push_back(rule(MapEmptiedRule{.max_share_of_peak = 0.1, .min_bytes = 32 * kMiB},
                       Severity::info, 10min, 5min));
}

// What maps hold without end.
void add_size(std::vector<Rule> &rules) {
  rules.push_back(rule(MapEntriesRule{.max_entries = 50'000'000}, Severity::warning, 5min, 5min));
  rules.push_back(rule(MapBytesRule{.max_bytes = 4 * kGiB}, Severity::warning, 5min, 5min));
  // A cache that warms up grows fast for minutes, and stops; a leak takes its 300 MiB every half
  // hour, or never falls for hours. Growing maps are looked at every 10 s to 60 s: 360 censuses
  // are one hour to six.
  rules.push_back(rule(MapGrowthRule{.bytes_per_minute = 10 * kMiB,
                                     .entries_per_minute = std::nullopt,
                                     .window = 30min,
                                     .censuses_in_a_row = 360,
                                     .min_bytes = 256 * kMiB},
                       Severity::warning, 5min, 10min));
  rules.push_back(
      rule(MapShareRule{.max_share = 0.8, .min_bytes = 1 * kGiB}, Severity::info, 30min, 10min));
}

// What maps cost in time: an advice, never an outage.
void add_rates(std::vector<Rule> &rules) {
  rules.push_back(
      rule(MapRehashStormRule{.growths_per_minute = 600'000}, Severity::info, 10min, 10min));
  rules.push_back(rule(MapChurnRule{.maps_per_second = 100'000}, Severity::info, 10min, 10min));
}

void add_heap(std::vector<Rule> &rules) {
  rules.push_back(
      rule(HeapGrowthRule{.bytes_per_minute = 50'000'000, .min_map_share = 0.3, .window = 10min},
           Severity::warning, 5min, 10min));
  rules.push_back(rule(AllocsMinusFreesRule{.min_live_objects = 50'000'000, .window = 1h},
                       Severity::warning, 0s, 10min));
  // What the collector could free and the page cache don't count, so nobody lives here on purpose.
  rules.push_back(rule(MemoryLimitRule{.max_share = 0.9}, Severity::critical, 30s, 5min));
}

// The kernel's own maps. A rule of kind bpf-lookups is not among the defaults: ten thousand lookups
// a second are daily work where packets are switched; nor is one of kind bpf-insert-failures:
// system calls of the whole host would be watched for it, if only for moments.
void add_kernel_maps(std::vector<Rule> &rules) {
  rules.push_back(rule(BpfFillRule{.max_fill = 0.9,
                                   .full_within = 15min,
                                   .min_fill = 0.5,
                                   .min_entries = 16,
                                   .maps = {},
                                   .types = {}},
                       Severity::warning, 5min, 5min));
  rules.push_back(rule(BpfUnboundedRule{.max_declared_bytes = 1 * kGiB, .maps = {}, .types = {}},
                       Severity::info, 10min, 5min));
}

// What is wrong whenever it is seen.
void add_faults(std::vector<Rule> &rules) {
  rules.push_back(rule(MapMisuseRule{}, Severity::critical, 0s, 1h));
  rules.push_back(rule(FileIoRule{}, Severity::warning, 0s, 0s));
}

} // namespace

std::vector<Rule> default_rules() {
  std::vector<Rule> rules;
  add_bloat(rules);
  add_size(rules);
  add_rates(rules);
  add_heap(rules);
  add_kernel_maps(rules);
  add_faults(rules);
  return rules;
}

} // namespace mapscope
