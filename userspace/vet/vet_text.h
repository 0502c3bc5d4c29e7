// What `mapscope vet` prints: a line for each finding, as compilers do.
#pragma once

#include <span>
#include <string>

#include "flow/vet_finding.h"

namespace mapscope {

// "file:line:column: level: message [rule]", and the fix below where there is one. A line or column
// that is not known is 0.
std::string vet_text(std::span<const VetFinding> findings, bool colour);

} // namespace mapscope
