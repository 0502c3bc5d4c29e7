// What the name of a Go function says, wherever it comes from.
#pragma once

#include <string_view>

namespace mapscope {

// The import path: "runtime", "internal/runtime/maps", "example.com/x/maps"; empty for a name
// without a package.
constexpr std::string_view package_of(std::string_view function) {
  // Receivers and type arguments may hold slashes and dots of their own.
  std::string_view path = function.substr(0, function.find_first_of("(["));
  auto slash = path.rfind('/');
  auto dot = path.find('.', slash == path.npos ? 0 : slash);
  return dot == path.npos ? std::string_view{} : path.substr(0, dot);
}

} // namespace mapscope
