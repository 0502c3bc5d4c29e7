// The text of /proc/PID/maps as values.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"

namespace mapscope {

// Errors: malformed, for a line that is none. Format: Documentation/filesystems/proc.rst of Linux;
// a newline in a path is written as \012, all else as it is.
Result<std::vector<Mapping>> parse_mappings(std::string_view text);

} // namespace mapscope
