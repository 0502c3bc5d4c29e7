// DWARF that may say anything, in a small Go program: the first two bytes say how many of the
// others are abbreviations.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "binary/go_binary.h"
#include "binary/layout_dwarf.h"
#include "binary/layout_table.h"
#include "binary/program_roots.h"
#include "fuzz/fuzz_target.h"
#include "support/synthetic_go.h"
#include "wire/roots_archive.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(roots_fuzz, data, size_bytes) {
  if (size_bytes < 2)
    return 0;
  const auto rest = std::as_bytes(std::span{data, size_bytes}).subspan(2);
  const std::size_t split = std::min<std::size_t>(data[0] | std::size_t{data[1]} << 8, rest.size());
  const auto abbreviations = rest.first(split), information = rest.subspan(split);
  SyntheticGo program;
  program.extra_sections = {{".debug_abbrev", {abbreviations.begin(), abbreviations.end()}},
                            {".debug_info", {information.begin(), information.end()}}};
  const auto file = program.make();
  const auto binary = GoBinary::open(file, "input");
  if (!binary)
    std::abort();
  // What it says of the runtime's own structures, too.
  (void)read_dwarf_offsets(binary->elf(), layout_names());
  const auto roots = read_roots(*binary);
  const RootPlaces places{binary->module_data().text, binary->module_data().types};
  if (roots && !roots_from_bytes(roots_to_bytes(*roots), places))
    std::abort(); // the parent must accept an honest child
  return 0;
}
