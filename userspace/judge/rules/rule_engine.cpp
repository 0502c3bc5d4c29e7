// Hands each input to the rules that are about it, process by process; see rule_engine.h.
#include "judge/rules/rule_engine.h"

#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <utility>
#include <variant>

#include "base/overloaded.h"
#include "flow/process_selector.h"
#include "judge/rules/bpf_rules.h"
#include "judge/rules/event_rules.h"
#include "judge/rules/map_rules.h"
#include "judge/rules/process_rules.h"
#include "judge/rules/rule_needs.h"
#include "judge/rules/rule_subjects.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

constexpr std::size_t kProcessesMax = 10'000;
constexpr std::size_t kRestoredMax = 100'000;
constexpr std::size_t kLargestMapsTold = 3;
constexpr std::ptrdiff_t kOutlivedMax = 1000; // ended processes of which something is told

constexpr std::string_view kProcessEnded = "the process ended";
constexpr std::string_view kNotLookedAt = "the kernel's maps are not looked at any more";
constexpr std::string_view kProgramReplaced = "the process runs another program now";
constexpr std::string_view kRuleGone = "the rule is no more in force";
constexpr std::string_view kNotItsRule = "the rule is no more about this process";

struct JudgedProcess {
  ProcessIdentity identity;
  // By index of the rule; null: it is not about this process.
  std::vector<std::unique_ptr<RuleSubjects>> subjects;
  CensusSample last; // without maps
  std::string largest_maps;
  std::optional<std::uint64_t> ended_ns; // it has, and an event of it is still told

  bool is_firing() const {
    return std::ranges::any_of(subjects, [](const auto &of) { return of && of->is_firing(); });
  }
};

Finding over(Finding finding, std::uint64_t now_ns, std::string_view why) {
  finding.is_firing = false;
  finding.resolution = why;
  finding.time_ns = std::max(now_ns, finding.time_ns);
  return finding;
}

// Rules about the kernel's maps are about these alone.
bool is_about(const Rule &rule, const ProcessIdentity &process) {
  const bool is_kernel = process.key == kKernel;
  return is_about_bpf(rule.condition) ? is_kernel : !is_kernel && matches(rule.only, process);
}

std::string_view why_ended(ProcessKey process) {
  return process == kKernel ? kNotLookedAt : kProcessEnded;
}

ProcessKey process_of(const RuleInput &input) {
  return std::visit(overloaded{[](const ProcessAppeared &appeared) { return appeared.process.key; },
                               [](const BpfMapsSample &) { return kKernel; },
                               [](const auto &other) { return other.process; }},
                    input);
}

} // namespace

struct RuleEngine::State {
  std::vector<Rule> rules;
  RuleEngineOptions options;
  std::map<ProcessKey, JudgedProcess> processes;
  std::map<ProcessKey, std::vector<Finding>> restored; // of processes that were not told yet
  std::uint64_t restored_count = 0;
  RuleEngineFigures figures;

  RuleSubjects::Context context(const Rule &rule, const JudgedProcess &process) const {
    return {rule, process.identity, options.boot_id};
  }

  // `judge` is called with each rule that is about the process.
  void each_rule(JudgedProcess &process,
                 const std::function<void(const RuleSubjects::Context &, RuleSubjects &)> &judge) {
    for (std::size_t i = 0; i < rules.size(); ++i)
      if (process.subjects[i])
        judge(context(rules[i], process), *process.subjects[i]);
  }

  void make_subjects(JudgedProcess &process) const {
    for (const Rule &rule : rules)
      process.subjects.push_back(is_about(rule, process.identity) ? std::make_unique<RuleSubjects>()
                                                                  : nullptr);
  }

  // The one that told it, if it is still in force.
  std::vector<Rule>::const_iterator rule_of(const Finding &finding) const {
    return std::ranges::find_if(rules, [&](const Rule &rule) {
      return rule.name == finding.rule && kind_name_of(rule.condition) == finding.kind;
    });
  }

  MemberRoom room_of(const JudgedProcess &process) const;
  void end(JudgedProcess &process, std::uint64_t now_ns, std::string_view why,
           std::vector<Finding> &findings);
  void outlive(ProcessKey key, std::uint64_t now_ns, std::vector<Finding> &findings);
  void give_back(JudgedProcess &process, std::vector<Finding> before, std::uint64_t now_ns,
                 std::vector<Finding> &findings);
  void end_restored(std::uint64_t now_ns, std::vector<Finding> &findings);
  void appear(const ProcessAppeared &appeared, std::vector<Finding> &findings);
  void take(JudgedProcess &process, const CensusSample &sample, std::vector<Finding> &findings);
  void take(JudgedProcess &process, const RateSample &sample, std::vector<Finding> &findings);
  void take(JudgedProcess &process, const BpfMapsSample &sample, std::vector<Finding> &findings);
  void take(JudgedProcess &process, const RuleInput &input, std::vector<Finding> &findings);
  std::vector<std::unique_ptr<RuleSubjects>> subjects_under(JudgedProcess &process,
                                                            const std::vector<Rule> &others,
                                                            std::uint64_t now_ns,
                                                            std::vector<Finding> &findings);
};

MemberRoom RuleEngine::State::room_of(const JudgedProcess &process) const {
  std::uint64_t used = 0;
  for (const auto &subjects : process.subjects)
    used += subjects ? subjects->member_count() : 0;
  return {.left = options.subjects_max - std::min<std::uint64_t>(used, options.subjects_max)};
}

void RuleEngine::State::end(JudgedProcess &process, std::uint64_t now_ns, std::string_view why,
                            std::vector<Finding> &findings) {
  each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
    subjects.end_all(now_ns, why, context, findings);
  });
}

// The process is gone, and with it all that was said of it but for its events.
void RuleEngine::State::outlive(ProcessKey key, std::uint64_t now_ns,
                                std::vector<Finding> &findings) {
  JudgedProcess &process = processes.at(key);
  each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
    if (const auto keep = ended_event_keep_of(context.rule))
      subjects.outlive(now_ns, *keep, why_ended(key));
    else
      subjects.end_all(now_ns, why_ended(key), context, findings);
  });
  if (!process.is_firing()) {
    processes.erase(key);
    return;
  }
  process.ended_ns = now_ns;
  auto outlived = processes | std::views::filter([](const auto &entry) {
                    return entry.second.ended_ns.has_value();
                  });
  if (std::ranges::distance(outlived) <= kOutlivedMax)
    return;
  auto first = std::ranges::min_element(outlived, {},
                                        [](const auto &entry) { return entry.second.ended_ns; });
  end(first->second, now_ns, why_ended(key), findings);
  processes.erase(first->first);
}

// What was told before a restart of processes that nobody has seen since.
void RuleEngine::State::end_restored(std::uint64_t now_ns, std::vector<Finding> &findings) {
  for (auto &[key, before] : std::exchange(restored, {})) {
    std::vector<Finding> events;
    for (Finding &finding : before)
      if (const auto rule = rule_of(finding); rule != rules.end() && ended_event_keep_of(*rule))
        events.push_back(std::move(finding));
      else
        findings.push_back(over(std::move(finding), now_ns, why_ended(key)));
    if (events.empty())
      continue;
    JudgedProcess &process = processes[key];
    process.identity = events.front().process;
    make_subjects(process);
    give_back(process, std::move(events), now_ns, findings);
    outlive(key, now_ns, findings);
  }
  restored_count = 0;
}

// What was told of it before a restart goes on where its rule does.
void RuleEngine::State::give_back(JudgedProcess &process, std::vector<Finding> before,
                                  std::uint64_t now_ns, std::vector<Finding> &findings) {
  for (Finding &finding : before) {
    const auto rule = rule_of(finding);
    RuleSubjects *subjects =
        rule == rules.end()
            ? nullptr
            : process.subjects[static_cast<std::size_t>(rule - rules.begin())].get();
    if (subjects)
      subjects->restore(finding, now_ns, event_keep_of(*rule));
    else
      findings.push_back(
          over(std::move(finding), now_ns, rule == rules.end() ? kRuleGone : kNotItsRule));
  }
}

void RuleEngine::State::appear(const ProcessAppeared &appeared, std::vector<Finding> &findings) {
  const ProcessKey key = appeared.process.key;
  if (auto known = processes.find(key); known != processes.end()) {
    if (known->second.identity.exe == appeared.process.exe) {
      known->second.ended_ns.reset();
      return; // told again
    }
    end(known->second, appeared.time_ns, kProgramReplaced, findings);
    processes.erase(known);
  }
  if (processes.size() >= kProcessesMax) {
    ++figures.processes_left_out;
    return;
  }
  JudgedProcess &process = processes[key];
  process.identity = appeared.process;
  make_subjects(process);
  if (auto before = restored.extract(key)) {
    restored_count -= before.mapped().size();
    give_back(process, std::move(before.mapped()), appeared.time_ns, findings);
  }
}

void RuleEngine::State::take(JudgedProcess &process, const CensusSample &told,
                             std::vector<Finding> &findings) {
  // One that says no more than that nothing changed.
  CensusSample again;
  const bool is_again = told.is_unchanged && told.maps.empty() && told.map_count == 0;
  if (is_again) {
    again = process.last;
    again.time_ns = told.time_ns;
    again.process = told.process;
    again.is_unchanged = true;
  }
  const CensusSample &sample = is_again ? again : told;
  if (!sample.maps.empty() || !sample.is_unchanged)
    process.largest_maps = largest_maps_text(sample, kLargestMapsTold);
  MemberRoom room = room_of(process);
  each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
    if (is_about_maps(context.rule.condition))
      judge_maps(sample, context, subjects, room, findings);
    else if (is_about_heap(context.rule.condition))
      judge_heap(sample, process.largest_maps, context, subjects, findings);
  });
  figures.subjects_forgotten += room.forgotten;
  if (!is_again) {
    process.last = CensusSample{.heap = told.heap,
                                .map_count = told.map_count,
                                .map_entries = told.map_entries,
                                .map_bytes = told.map_bytes,
                                .map_reclaimable_bytes = told.map_reclaimable_bytes,
                                .map_reclaimable_unknown = told.map_reclaimable_unknown,
                                .allocated_bytes = told.allocated_bytes,
                                .allocated_by_maps_bytes = told.allocated_by_maps_bytes,
                                .limits = told.limits,
                                .maps_left_out = told.maps_left_out};
    process.last.heap.size_classes.clear();
  }
}

void RuleEngine::State::take(JudgedProcess &process, const RateSample &sample,
                             std::vector<Finding> &findings) {
  MemberRoom room = room_of(process);
  each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
    judge_rates(sample, context, subjects, room, findings);
  });
  figures.subjects_forgotten += room.forgotten;
}

void RuleEngine::State::take(JudgedProcess &process, const BpfMapsSample &sample,
                             std::vector<Finding> &findings) {
  MemberRoom room = room_of(process);
  each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
    judge_bpf_maps(sample, context, subjects, room, findings);
  });
  figures.subjects_forgotten += room.forgotten;
}

void RuleEngine::State::take(JudgedProcess &process, const RuleInput &input,
                             std::vector<Finding> &findings) {
  std::visit(
      overloaded{
          [](const ProcessAppeared &) {}, // appear() has
          [&](const ProcessEnded &ended) { outlive(ended.process, ended.time_ns, findings); },
          [&](const CensusSample &sample) { take(process, sample, findings); },
          [&](const RateSample &sample) { take(process, sample, findings); },
          [&](const MisuseSample &sample) {
            each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
              judge_misuse(sample, context, subjects, findings);
            });
          },
          [&](const VerifySample &sample) {
            each_rule(process, [&](const RuleSubjects::Context &context, RuleSubjects &subjects) {
              judge_verdict(sample, context, subjects, findings);
            });
          },
          [&](const BpfMapsSample &sample) { take(process, sample, findings); }},
      input);
}

// A rule that stays as it was keeps all; one with other thresholds what it told, until the next
// look; the others are over.
std::vector<std::unique_ptr<RuleSubjects>>
RuleEngine::State::subjects_under(JudgedProcess &process, const std::vector<Rule> &others,
                                  std::uint64_t now_ns, std::vector<Finding> &findings) {
  std::vector<std::unique_ptr<RuleSubjects>> subjects;
  for (const Rule &rule : others) {
    auto &now = subjects.emplace_back(
        is_about(rule, process.identity) ? std::make_unique<RuleSubjects>() : nullptr);
    auto before = std::ranges::find_if(rules, [&](const Rule &one) {
      return one.name == rule.name && one.condition.index() == rule.condition.index();
    });
    if (before == rules.end())
      continue;
    auto &old = process.subjects[static_cast<std::size_t>(before - rules.begin())];
    if (!old)
      continue;
    if (!now)
      old->end_all(now_ns, kNotItsRule, context(*before, process), findings);
    else if (before->condition == rule.condition)
      now = std::move(old);
    else
      for (const Finding &finding : old->firing(context(*before, process)))
        now->restore(finding, now_ns, event_keep_of(rule));
    old.reset();
  }
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (process.subjects[i])
      process.subjects[i]->end_all(now_ns, kRuleGone, context(rules[i], process), findings);
  return subjects;
}

RuleEngine::RuleEngine(std::vector<Rule> rules, RuleEngineOptions options)
    : state_(std::make_unique<State>()) {
  state_->rules = std::move(rules);
  state_->options = std::move(options);
}

RuleEngine::~RuleEngine() = default;

RuleNeeds RuleEngine::needs() const { return needs_of(state_->rules); }

void RuleEngine::restore(std::span<const Finding> firing) {
  for (const Finding &finding : firing)
    if (finding.is_firing && state_->restored_count < kRestoredMax) {
      state_->restored[finding.process.key].push_back(finding);
      ++state_->restored_count;
    }
}

std::vector<Finding> RuleEngine::take(const RuleInput &input) {
  std::vector<Finding> findings;
  ++state_->figures.inputs;
  if (const auto *appeared = std::get_if<ProcessAppeared>(&input)) {
    state_->appear(*appeared, findings);
  } else if (auto process = state_->processes.find(process_of(input));
             process != state_->processes.end() && !process->second.ended_ns) {
    state_->take(process->second, input, findings);
  } else {
    ++state_->figures.inputs_of_others;
  }
  state_->figures.findings += findings.size();
  return findings;
}

std::vector<Finding> RuleEngine::tick(std::uint64_t now_ns, bool scan_complete) {
  std::vector<Finding> findings;
  for (auto &[key, process] : state_->processes)
    for (std::size_t i = 0; i < state_->rules.size(); ++i)
      if (process.subjects[i])
        process.subjects[i]->tick(now_ns, state_->context(state_->rules[i], process), findings);
  std::erase_if(state_->processes, [](const auto &entry) {
    return entry.second.ended_ns && !entry.second.is_firing();
  });
  if (scan_complete && !state_->restored.empty())
    state_->end_restored(now_ns, findings);
  state_->figures.findings += findings.size();
  return findings;
}

std::vector<Finding> RuleEngine::replace_rules(std::vector<Rule> rules, std::uint64_t now_ns) {
  std::vector<Finding> findings;
  for (auto &[key, process] : state_->processes)
    process.subjects = state_->subjects_under(process, rules, now_ns, findings);
  state_->rules = std::move(rules);
  state_->figures.findings += findings.size();
  return findings;
}

RuleEngineFigures RuleEngine::figures() const {
  RuleEngineFigures figures = state_->figures;
  for (const auto &[key, process] : state_->processes)
    for (const auto &subjects : process.subjects)
      figures.subjects += subjects ? subjects->member_count() : 0;
  return figures;
}

} // namespace mapscope
