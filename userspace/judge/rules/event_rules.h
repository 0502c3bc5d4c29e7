// The rules about what probes saw: storms of growth, churn, misuse, file I/O.
#pragma once

#include <optional>
#include <vector>

#include "flow/rule_input.h"
#include "judge/rules/map_rules.h"
#include "judge/rules/rule_subjects.h"

namespace mapscope {

// Each does nothing for rules of other kinds.
void judge_rates(const RateSample &sample, const RuleSubjects::Context &context,
                 RuleSubjects &subjects, MemberRoom &room, std::vector<Finding> &findings);
void judge_misuse(const MisuseSample &sample, const RuleSubjects::Context &context,
                  RuleSubjects &subjects, std::vector<Finding> &findings);
void judge_verdict(const VerifySample &sample, const RuleSubjects::Context &context,
                   RuleSubjects &subjects, std::vector<Finding> &findings);

// How long an event is told after it was last seen; nothing: the rule is not about events.
std::optional<Seconds> event_keep_of(const Rule &rule);
// The same after the end of its process, which most misuse brings about: nobody would see it.
std::optional<Seconds> ended_event_keep_of(const Rule &rule);

} // namespace mapscope
