// The plan of probes; see plan.h.
#include "attach/plan.h"

#include <algorithm>
#include <array>

#include "go/unknown_release.h"

namespace mapscope {
namespace {

// When a function is probed, and whether its entry opens a window. Functions that open
// windows do not call each other, so one slot for each goroutine is enough.
struct Rule {
  map_operation operation;
  Depth from;
  bool opens_window;
};

constexpr std::array kRules{
    Rule{MAP_OPERATION_MAKE_SMALL, Depth::normal, true},
    Rule{MAP_OPERATION_MAKE, Depth::rare, true},
    Rule{MAP_OPERATION_NEW_MAP, Depth::rare, true},
    Rule{MAP_OPERATION_CLONE, Depth::rare, true},
    Rule{MAP_OPERATION_HASH_GROW, Depth::light, true},
    Rule{MAP_OPERATION_GROW_TO_TABLE, Depth::normal, true},
    Rule{MAP_OPERATION_REHASH, Depth::rare, true},
    Rule{MAP_OPERATION_PRUNE, Depth::full, true},
    Rule{MAP_OPERATION_CLEAR, Depth::normal, true},
    // The first group of a swiss map and the moves of classic buckets would cost a hit for
    // each map and each assignment. They are allocation under a write: the stack sees it.
    Rule{MAP_OPERATION_GROW_TO_SMALL, Depth::exact, true},
    Rule{MAP_OPERATION_GROW_WORK, Depth::exact, true},
    // Inside rehash, whose window covers them.
    Rule{MAP_OPERATION_TABLE_GROW, Depth::exact, false},
    Rule{MAP_OPERATION_TABLE_SPLIT, Depth::exact, false},
    Rule{MAP_OPERATION_INSTALL_SPLIT, Depth::exact, false},
};

bool is_probed(const Rule &rule, const ProbeChoice &choice, const BinaryFacts &facts) {
  if (choice.only && !choice.only->test(rule.operation))
    return false;
  if (choice.depth != Depth::light)
    return rule.from <= choice.depth;
  // The rarest growth there is: tables past 1024 slots where the compiler left the function
  // in place, all doublings where it did not.
  bool has_split = facts.operations.contains(MAP_OPERATION_TABLE_SPLIT);
  if (rule.operation == MAP_OPERATION_TABLE_SPLIT)
    return true;
  if (rule.operation == MAP_OPERATION_REHASH)
    return !has_split;
  return rule.from == Depth::light;
}

PlannedProbe entry_probe(ProbeKind kind, const ProbePoint &point, unsigned subject, bool window) {
  return {.kind = kind,
          .function = point.function,
          .offset = point.offset,
          .expected = point.expected,
          .subject = static_cast<std::uint8_t>(subject),
          .opens_window = window,
          .on_stack_check = point.on_stack_check};
}

void plan_operation(const BinaryFacts &facts, const Rule &rule, const ProbeChoice &choice,
                    ProbePlan &plan, std::vector<ElfRange> &windowed) {
  auto entry = facts.operations.find(rule.operation);
  if (entry == facts.operations.end())
    return;
  for (const ProbePoint &point : entry->second) {
    bool window = rule.opens_window && choice.opens_windows();
    plan.probes.push_back(entry_probe(ProbeKind::map_operation, point, rule.operation, window));
    if (window)
      windowed.push_back({point.entry, point.size_bytes});
    if (choice.depth != Depth::exact || !rule.opens_window)
      continue;
    for (const ReturnPoint &end : point.returns)
      plan.probes.push_back({.kind = ProbeKind::map_operation_return,
                             .function = point.function,
                             .offset = end.offset,
                             .subject = static_cast<std::uint8_t>(rule.operation)});
  }
}

// A panic says that a map is nil, the other functions that two goroutines use one.
void plan_misuse(const BinaryFacts &facts, ProbePlan &plan) {
  bool throws = facts.version < GoVersion{1, 19, 0}; // it had no fatal yet
  for (const auto &[function, point] : facts.misuse)
    if (function != "runtime.throw" || throws)
      plan.probes.push_back(entry_probe(
          ProbeKind::map_misuse, point,
          function == "runtime.gopanic" ? MAP_MISUSE_NIL_MAP : MAP_MISUSE_CONCURRENT, false));
}

pc_range as_contract(ElfRange range) { return {range.start.value, range.size_bytes}; }

Result<std::uint32_t> offset_of(const BinaryFacts &facts, std::string_view field) {
  if (std::string gap = missing_layout(facts); !gap.empty())
    return fail(Errc::unsupported, "{}", gap);
  auto offset = facts.layout.find(field);
  if (!offset)
    return fail(Errc::unsupported,
                "the layout of {} in {} is not known: neither its debug information nor the table "
                "of Go versions has it",
                field, facts.go_version);
  return *offset;
}

Result<> fill_layout(const BinaryFacts &facts, target &settings) {
  settings.g_m = TRY(offset_of(facts, "runtime.g.m"));
  settings.g_goid = TRY(offset_of(facts, "runtime.g.goid"));
  std::uint32_t sched = TRY(offset_of(facts, "runtime.g.sched"));
  settings.g_sched_sp = sched + TRY(offset_of(facts, "runtime.gobuf.sp"));
  settings.g_sched_pc = sched + TRY(offset_of(facts, "runtime.gobuf.pc"));
  settings.g_sched_bp = sched + TRY(offset_of(facts, "runtime.gobuf.bp"));
  settings.m_curg = TRY(offset_of(facts, "runtime.m.curg"));
  return {};
}

Result<> fill_ranges(const BinaryFacts &facts, const std::vector<ElfRange> &windowed,
                     target &settings) {
  if (facts.map_ranges.empty() || facts.map_ranges.size() > MAP_RANGES_MAX)
    return fail(Errc::unsupported, "{} address ranges of map functions, 1 to {} fit",
                facts.map_ranges.size(), MAP_RANGES_MAX);
  if (windowed.size() > WINDOWED_RANGES_MAX)
    return fail(Errc::unsupported, "{} functions open windows, {} fit", windowed.size(),
                WINDOWED_RANGES_MAX);
  std::ranges::transform(facts.map_ranges, settings.map_ranges, as_contract);
  std::ranges::transform(windowed, settings.windowed, as_contract);
  settings.map_range_count = static_cast<__u32>(facts.map_ranges.size());
  settings.windowed_count = static_cast<__u32>(windowed.size());
  return {};
}

} // namespace

Result<ProbePlan> plan_probes(const BinaryFacts &facts, const ProbeChoice &choice) {
  if (facts.map_implementation == MapImplementation::none)
    return fail(Errc::unsupported, "{} has no map functions that mapscope knows", facts.path);

  ProbePlan plan;
  std::vector<ElfRange> windowed;
  for (const Rule &rule : kRules)
    if (is_probed(rule, choice, facts))
      plan_operation(facts, rule, choice, plan, windowed);
  if (choice.heap_requests)
    for (const auto &[request, point] : facts.heap_requests)
      plan.probes.push_back(entry_probe(ProbeKind::heap_request, point, request, false));
  if (choice.misuse)
    plan_misuse(facts, plan);

  target &settings = plan.settings;
  TRY(fill_layout(facts, settings));
  TRY(fill_ranges(facts, windowed, settings));
  settings.entry = facts.entry.value;
  settings.text = as_contract(facts.text);
  settings.runtime = as_contract(facts.runtime_text);
  settings.syscall6 = as_contract(facts.syscall6);
  settings.systemstack_switch = facts.systemstack_switch.value;
  settings.flags = TARGET_GO;
  if (facts.map_implementation == MapImplementation::swiss)
    settings.flags |= TARGET_SWISS;
  if (facts.version < GoVersion{1, 21, 0})
    settings.flags |= TARGET_STRAY_FRAMES;
  if (facts.tls_offset) {
    settings.flags |= TARGET_TLS_KNOWN;
    settings.tls_offset = *facts.tls_offset;
  } else {
    plan.warnings.emplace_back("calls that C code makes are not attributed: where this executable "
                               "keeps the goroutine of a thread is not known");
  }
  return plan;
}

} // namespace mapscope
