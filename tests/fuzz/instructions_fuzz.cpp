// Any bytes as the code of one function: where a probe would go lies in it, and so does every
// return. The first byte says for which machine.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "binary/instruction_spots.h"
#include "binary/map_calls.h"
#include "binary/relative_operands.h"
#include "fuzz/fuzz_target.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    std::abort();
}

void look_at_spots(const Code &code) {
  const ElfRange range = code.range();
  if (const auto spot = find_entry_spot(code)) {
    require(range.contains(spot->address) || code.bytes.empty());
    const auto offset = static_cast<std::size_t>(spot->address.value - code.start.value);
    require(spot->expected.size() <= 8 && spot->expected.size() <= code.bytes.size() - offset);
    require(std::ranges::equal(std::as_bytes(std::span{spot->expected}),
                               code.bytes.subspan(offset, spot->expected.size())));
  }
  if (const auto returns = find_returns(code))
    for (const ElfAddress address : *returns)
      require(range.contains(address));
  (void)find_referenced_addresses(code);
  (void)find_tls_offset(code);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(instructions_fuzz, data, size_bytes) {
  if (size_bytes == 0)
    return 0;
  const Code code{.machine = data[0] & 1 ? Machine::arm64 : Machine::amd64,
                  .start = {data[0] & 2 ? ~std::uint64_t{0xffff} : 0x401000},
                  .bytes = std::as_bytes(std::span{data, size_bytes}).subspan(1)};
  look_at_spots(code);
  if (const auto instructions = decode(code)) {
    std::uint64_t at = code.start.value;
    for (const Instruction &instruction : *instructions) {
      require(instruction.address.value == at && instruction.size_bytes != 0);
      at += instruction.size_bytes;
    }
    require(at - code.start.value <= code.bytes.size());
    for (const Instruction &instruction : *instructions)
      (void)first_argument_at(*instructions, instruction.end(), {});
  }
  for_each_relative_operand(code.bytes, code.start.value, [&](const RelativeOperand &operand) {
    require(operand.start < operand.end && operand.end <= code.bytes.size() && operand.reg < 16);
  });
  return 0;
}
