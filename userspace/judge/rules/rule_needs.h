// What rules need to be told, so that nothing is looked for in vain.
#pragma once

#include <span>

#include "flow/rule.h"
#include "flow/rule_input.h"

namespace mapscope {

// The lowest floors of all, less what hysteresis leaves of them: a map that is missing from a
// sample is below every threshold.
RuleNeeds needs_of(std::span<const Rule> rules);

} // namespace mapscope
