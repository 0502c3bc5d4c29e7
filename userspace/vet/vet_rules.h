// The rules of `mapscope vet` by name: what --disable takes, and what SARIF tells of them.
#pragma once

#include <span>
#include <string_view>

#include "flow/vet_finding.h"

namespace mapscope {

struct VetRule {
  std::string_view id;
  VetLevel level = VetLevel::warning; // its usual one; a finding may have another
  std::string_view summary;           // what it finds, a phrase
  std::string_view why;               // a sentence
};

std::span<const VetRule> vet_rules();

// Null: there is none of that name.
const VetRule *find_vet_rule(std::string_view id);

} // namespace mapscope
