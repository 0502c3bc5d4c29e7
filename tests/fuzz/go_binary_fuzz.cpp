// A whole file through everything that binary/ finds out, and the facts through the wire.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "binary/go_binary.h"
#include "binary/map_calls.h"
#include "binary/map_types.h"
#include "binary/program_roots.h"
#include "binary/read_facts.h"
#include "fuzz/fuzz_target.h"
#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/roots_archive.h"

using namespace mapscope;

namespace {

constexpr std::size_t kFunctionsAsked = 64;
constexpr std::uint64_t kCodeBytesAsked = 64;

void ask(const GoBinary &binary) {
  std::vector<ElfAddress> addresses{{0}, binary.module_data().text.start};
  for (const FunctionView &function :
       binary.functions().first(std::min(binary.functions().size(), kFunctionsAsked))) {
    addresses.push_back({function.range.start.value + function.range.size_bytes / 2});
    (void)binary.inlined_calls(function);
  }
  if (binary.symbolize(addresses).size() != addresses.size())
    std::abort();
}

// An honest child sends only what its parent accepts.
void ask_for_map_types(const GoBinary &binary) {
  const MapTypeReader reader{binary};
  std::vector<std::optional<MapType>> types;
  const ElfRange known = binary.module_data().types;
  for (std::uint64_t at = 0; at < std::min<std::uint64_t>(known.size_bytes, 4096); at += 8)
    types.push_back(reader.read({known.start.value + at}));
  for (const FunctionView &function :
       binary.functions().first(std::min(binary.functions().size(), kFunctionsAsked)))
    for (std::uint64_t at = 1; at <= std::min(function.range.size_bytes, kCodeBytesAsked); ++at)
      types.push_back(map_type_at_call(binary, reader, {function.range.start.value + at}));
  if (!map_types_from_json(map_types_to_json(types)))
    std::abort();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(go_binary_fuzz, data, size_bytes) {
  const auto binary = GoBinary::open(std::as_bytes(std::span{data, size_bytes}), "input");
  if (!binary)
    return 0;
  ask(*binary);
  ask_for_map_types(*binary);
  const auto facts = read_facts(*binary);
  if (!facts)
    return 0;
  if (!facts_from_json(facts_to_json(*facts))) // the parent must accept an honest child
    std::abort();
  const auto roots = read_roots(*binary);
  if (roots && !roots_from_bytes(roots_to_bytes(*roots), RootPlaces::of(*facts)))
    std::abort();
  return 0;
}
