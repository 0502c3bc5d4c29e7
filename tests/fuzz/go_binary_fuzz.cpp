// A whole file through everything that binary/ finds out, and the facts through the wire.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "wire/facts_json.h"

using namespace mapscope;

namespace {

constexpr std::size_t kFunctionsAsked = 64;

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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size_bytes) {
  const auto binary = GoBinary::open(std::as_bytes(std::span{data, size_bytes}), "input");
  if (!binary)
    return 0;
  ask(*binary);
  if (const auto facts = read_facts(*binary))
    if (!facts_from_json(facts_to_json(*facts))) // the parent must accept an honest child
      std::abort();
  return 0;
}
