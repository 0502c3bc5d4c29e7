// The rules about a process as a whole: what share of its heap maps are, how its heap grows, how
// near it is to its limits.
#pragma once

#include <string>
#include <vector>

#include "flow/rule_input.h"
#include "judge/rules/rule_subjects.h"

namespace mapscope {

bool is_about_heap(const RuleCondition &condition);

// One census, for one rule that is_about_heap. `largest_maps`: their names and bytes in words;
// may be empty.
void judge_heap(const CensusSample &sample, const std::string &largest_maps,
                const RuleSubjects::Context &context, RuleSubjects &subjects,
                std::vector<Finding> &findings);

} // namespace mapscope
