// The rules about the kernel's own maps: fill, lookups, memory without bound, inserts that fail.
#pragma once

#include <vector>

#include "flow/rule_input.h"
#include "judge/rules/map_rules.h"
#include "judge/rules/rule_subjects.h"

namespace mapscope {

// Such rules are about the process kKernel and no other, whatever they say in `only`.
bool is_about_bpf(const RuleCondition &condition);

// One look at all of them, for one rule that is_about_bpf.
void judge_bpf_maps(const BpfMapsSample &sample, const RuleSubjects::Context &context,
                    RuleSubjects &subjects, MemberRoom &room, std::vector<Finding> &findings);

// Whether a rule judges the fill of this map at all, and whether it passes the threshold now, even
// by the error of a sample.
bool judges_fill(const BpfFillRule &rule, const BpfMapFacts &map);
bool is_filled(const BpfFillRule &rule, const BpfMapSample &map);
// Whether a rule judges the lookups of this map, and whether even their lower bound is above.
bool judges_lookups(const BpfLookupsRule &rule, const BpfMapFacts &map);
bool is_hammered(const BpfLookupsRule &rule, const BpfMapSample &map);

} // namespace mapscope
