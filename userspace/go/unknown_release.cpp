// One sentence for each stage that meets such a program.
#include "go/unknown_release.h"

#include <fmt/format.h>

namespace mapscope {

std::string missing_layout(const BinaryFacts &facts) {
  if (!facts.layout.offsets.empty())
    return {};
  return fmt::format(
      "the structures of {}'s runtime are not known to this version of mapscope, and "
      "the binary {}: it takes a newer mapscope, or a build with DWARF",
      facts.go_version,
      facts.has_dwarf ? "has a DWARF that does not describe them" : "has no DWARF");
}

std::string supposed_rules(const BinaryFacts &facts) {
  return fmt::format(
      "{} is not known to this version of mapscope: where its runtime keeps things is "
      "read from the binary's DWARF, what it does with them is supposed to be what "
      "the releases before it do",
      facts.go_version);
}

std::string possible_blind_spot(const BinaryFacts &facts) {
  return fmt::format("{} is not known to this version of mapscope: its runtime may have map "
                     "operations that no probe is on.",
                     facts.go_version);
}

} // namespace mapscope
