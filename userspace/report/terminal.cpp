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

bool speaks_utf8() {
  for (const char *name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char *value = std::getenv(name);
    if (value == nullptr || *value == 0)
      continue;
    std::string_view locale = value;
    return locale.contains("UTF-8") || locale.contains("utf8") || locale.contains("utf-8");
  }
  return false;
}

std::string coloured(std::string_view text, Colour colour, bool enabled) {
  return enabled ? fmt::format("{}{}{}", colour_sequence(colour), text, kColourEnd)
                 : std::string{text};
}

} // namespace mapscope
