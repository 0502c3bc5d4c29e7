// Colour, where someone is there to see it.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

enum class Colour { red, green, yellow, dim, bold };

// True when the descriptor is a terminal that is not called "dumb", and NO_COLOR
// (no-color.org) is unset or empty.
bool wants_colour(int fd);

// True when the user's locale says that text is UTF-8: LC_ALL, LC_CTYPE or LANG, the first set.
bool speaks_utf8();

// The escape sequence that begins a colour, and the one that ends any.
std::string_view colour_sequence(Colour colour);
inline constexpr std::string_view kColourEnd = "\x1b[0m";

// `text` as it is, or between the escape sequences of `colour` when `enabled`.
std::string coloured(std::string_view text, Colour colour, bool enabled);

} // namespace mapscope
