// Text from outside, made fit for a terminal and for JSON.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

// The text with each control character, and each byte that is no valid UTF-8, replaced by '?':
// a function's name must not steer the reader's terminal or break a JSON document.
std::string printable(std::string_view text);

} // namespace mapscope
