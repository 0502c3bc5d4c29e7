// What parse_config() has to say against a text.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace mapscope {

// The problems, one a line; empty: there are none.
inline std::string problems_of(std::string_view text) {
  const auto config = parse_config(text, "c");
  return config ? "" : config.error().message();
}

} // namespace mapscope
