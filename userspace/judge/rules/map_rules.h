// The rules about single maps: waste, fill, size, growth, emptiness.
#pragma once

#include <cstdint>
#include <vector>

#include "flow/rule_input.h"
#include "judge/rules/rule_subjects.h"

namespace mapscope {

// How many members one process may have, over all its rules.
struct MemberRoom {
  std::uint64_t left = 0, forgotten = 0;
};

bool is_about_maps(const RuleCondition &condition);

// One census, for one rule that is_about_maps.
void judge_maps(const CensusSample &sample, const RuleSubjects::Context &context,
                RuleSubjects &subjects, MemberRoom &room, std::vector<Finding> &findings);

} // namespace mapscope
