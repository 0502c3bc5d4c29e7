// The rules as they stand in the file: each over a default rule of its name, or over the defaults
// of its kind.
#pragma once

#include <vector>

#include "config/fields.h"
#include "flow/rule.h"

namespace mapscope::configuration {

inline constexpr std::size_t kRulesMax = 500;

// Reads into a list that holds the default rules, or none. An item changes the default rule of its
// name, switches it off, or is a rule of its own.
ConfigValue<std::vector<Rule>> rule_list();

} // namespace mapscope::configuration
