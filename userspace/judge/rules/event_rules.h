// The rules about what probes saw: storms of growth, churn, misuse, file I/O.
#pragma once

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

// How long misuse is told after it was last seen.
Seconds misuse_keep(const Rule &rule);

} // namespace mapscope
