// What goes to a terminal: colour where someone is there to see it, and nothing that the
// target could use to play tricks on it.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

enum class Colour { red, green, yellow, dim, bold };

// True when the descriptor is a terminal that is not called "dumb", and NO_COLOR
// (no-color.org) is unset or empty.
bool wants_colour(int fd);

// `text` as it is, or between the escape sequences of `colour` when `enabled`.
std::string coloured(std::string_view text, Colour colour, bool enabled);

// Text from outside (a path, a name out of a binary) with every control character written
// as \xNN, since a terminal would obey it. Other bytes stay as they are.
std::string printable(std::string_view text);

} // namespace mapscope
