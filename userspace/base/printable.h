// Text from outside, made fit for a terminal and for JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mapscope {

// The text with each control character, and each byte that is no valid UTF-8, replaced by '?':
// a function's name must not steer the reader's terminal or break a JSON document.
std::string printable(std::string_view text);

// How many bytes the character at the front of a text, which is not empty, has in UTF-8 (RFC 3629);
// 0: those bytes are no character.
std::size_t utf8_length(std::string_view text);

} // namespace mapscope
