// What reports call the map operations that are probed, in the words of go/function_names.h.
#pragma once

#include <optional>
#include <string_view>

#include "bpf/contract/events.h"
#include "go/function_names.h"

namespace mapscope {

// As operation_of_function(); absent for MAP_OPERATION_NONE.
std::optional<std::string_view> operation_name(map_operation operation);

} // namespace mapscope
