// ECMA-48 sequences that every terminal of today knows.
#include "report/terminal.h"

#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace mapscope {

std::string_view colour_sequence(Colour colour) {
  switch (colour) {
  case Colour::red:
    return "\x1b[1;31m";
  case Colour::green:
    return "\x1b[1;32m";
  case Colour::yellow:
    return "\x1b[1;33m";
  case Colour::dim:
    return "\x1b[2m";
  case Colour::bold:
    return "\x1b[1m";
  }
  return "";
}

bool wants_colour(int fd) {
  const char *no_colour = std::getenv("NO_COLOR");
  const char *terminal = std::getenv("TERM");
  bool refused = no_colour != nullptr && *no_colour != 0;
  bool dumb = terminal != nullptr && std::string_view{terminal} == "dumb";
  return !refused && !dumb && ::isatty(fd) == 1;
}

std::string coloured(std::string_view text, Colour colour, bool enabled) {
  return enabled ? fmt::format("{}{}{}", colour_sequence(colour), text, kColourEnd)
                 : std::string{text};
}

} // namespace mapscope
