// Module data of an otherwise sound executable, which says where code, functions and types lie: it
// is refused, or all that is told of the program can be sent to the parent.
//
// The first byte says which release the executable is of, and whether it has sections.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "binary/go_binary.h"
#include "binary/map_types.h"
#include "binary/program_roots.h"
#include "binary/read_facts.h"
#include "fuzz/fuzz_target.h"
#include "support/synthetic_go.h"
#include "wire/facts_json.h"
#include "wire/roots_archive.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(module_data_fuzz, data, size_bytes) {
  if (size_bytes == 0)
    return 0;
  constexpr std::array kVersions{"go1.26.8",  "go1.27.4",  "go1.20.14",
                                 "go1.18.10", "go1.17.13", "devel go1.28-0123abc",
                                 "go1.99"};
  SyntheticGo program;
  program.version = kVersions[data[0] % kVersions.size()];
  program.has_sections = (data[0] & 0x80) == 0;
  auto file = program.make();
  const auto bytes = std::as_bytes(std::span{data, size_bytes}).subspan(1);
  std::ranges::copy(bytes.first(std::min(bytes.size(), file.size() - program.module_data_offset())),
                    file.begin() + static_cast<std::ptrdiff_t>(program.module_data_offset()));
  const auto binary = GoBinary::open(file, "input");
  if (!binary)
    return 0;
  const auto facts = read_facts(*binary);
  if (!facts)
    return 0;
  if (!facts_from_json(facts_to_json(*facts)))
    std::abort(); // the parent must accept an honest child
  const MapTypeReader types{*binary};
  for (std::uint64_t at = 0; at < std::min<std::uint64_t>(facts->types.size_bytes, 1024); at += 8)
    (void)types.read({facts->types.start.value + at});
  const auto roots = read_roots(*binary);
  if (roots && !roots_from_bytes(roots_to_bytes(*roots), RootPlaces::of(*facts)))
    std::abort();
  return 0;
}
