// Floors, kind by kind.
#include "judge/rules/rule_needs.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/overloaded.h"

namespace mapscope {

namespace {

// Rules about a whole process name its largest maps, if these are worth a word.
constexpr std::uint64_t kNamedBytes = 16 << 20;

std::uint64_t less(std::uint64_t floor, double hysteresis) {
  const double lower = std::floor(static_cast<double>(floor) * (1 - hysteresis));
  return lower < 1 ? 1 : lower >= 0x1p63 ? floor : static_cast<std::uint64_t>(lower);
}

void add(RuleNeeds &needs, const Rule &rule) {
  const auto look = [&](std::uint64_t min_bytes) {
    needs.census.census = true;
    needs.census.min_bytes = std::min(needs.census.min_bytes, min_bytes);
  };
  const auto floor = [&](std::uint64_t bytes) { look(less(bytes, rule.hysteresis)); };
  std::visit(overloaded{[&](const MapWasteRule &kind) { floor(kind.min_reclaimable_bytes); },
                        [&](const MapFillRule &kind) { floor(kind.min_bytes); },
                        [&](const MapBytesRule &kind) { floor(kind.max_bytes); },
                        [&](const MapGrowthRule &kind) { floor(kind.min_bytes); },
                        [&](const MapEmptiedRule &kind) { floor(kind.min_bytes); },
                        [&](const MapEntriesRule &kind) {
                          needs.census.census = true;
                          needs.census.min_entries = std::min(
                              needs.census.min_entries, less(kind.max_entries, rule.hysteresis));
                        },
                        [&](const MapShareRule &) { look(kNamedBytes); },
                        [&](const HeapGrowthRule &) { look(kNamedBytes); },
                        [&](const AllocsMinusFreesRule &) { look(kNamedBytes); },
                        [&](const MemoryLimitRule &) {
                          look(kNamedBytes);
                          needs.census.limits = true;
                        },
                        [&](const MapRehashStormRule &) { needs.growth_rates = true; },
                        [&](const MapChurnRule &) { needs.creation_rates = true; },
                        [&](const MapMisuseRule &) { needs.misuse = true; },
                        [&](const FileIoRule &) { needs.verify = true; },
                        [&](const BpfFillRule &kind) {
                          needs.bpf.looks = true;
                          needs.bpf.key_files.push_back(kind);
                        },
                        [&](const BpfLookupsRule &kind) {
                          needs.bpf.looks = needs.bpf.rates = true;
                          needs.bpf.key_samples.push_back(kind);
                        },
                        [&](const BpfUnboundedRule &) { needs.bpf.looks = true; },
                        [&](const BpfInsertFailuresRule &) {
                          needs.bpf.looks = needs.bpf.insert_failures = true;
                        }},
             rule.condition);
}

} // namespace

RuleNeeds needs_of(std::span<const Rule> rules) {
  RuleNeeds needs;
  for (const Rule &rule : rules)
    add(needs, rule);
  return needs;
}

} // namespace mapscope
