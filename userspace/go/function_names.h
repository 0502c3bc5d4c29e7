// What the names of Go functions say: whether it is the runtime, and which map operation.
#pragma once

#include <optional>
#include <string_view>

namespace mapscope {

// Code that works on maps on behalf of the code that a user looks for: packages runtime and
// what lies below it, reflect, and maps of the standard library.
bool is_runtime_function(std::string_view function);

// "creation", "growth", "prune", "clear", "copy", "write" or "delete". Absent for helpers
// that serve several of them ((*table).reset, newarray), and for functions that are not the
// runtime's. Names of Go 1.17 to 1.27: runtime/map*.go, internal/runtime/maps.
std::optional<std::string_view> operation_of_function(std::string_view function);

} // namespace mapscope
