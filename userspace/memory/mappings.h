// The text of /proc/PID/maps as values.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Errors: malformed, for a line that is none. Format: Documentation/filesystems/proc.rst of Linux;
// a newline in a path is written as \012, all else as it is.
Result<std::vector<Mapping>> parse_mappings(std::string_view text);

// Where an executable was loaded, told by the mapping that has its entry point. Errors: not_found.
Result<LoadBias> load_bias_of(std::span<const Mapping> mappings, std::string_view exe,
                              const BinaryFacts &facts);

} // namespace mapscope
