// Telling a variable by how functions use it.
#include "binary/runtime_globals.h"

#include <set>

#include "binary/instruction_decoder.h"

namespace mapscope {
namespace {

// The variables that a function reads or writes; none where it is missing or cannot be decoded.
std::set<std::uint64_t> variables_of(const GoBinary &binary, std::string_view name) {
  std::set<std::uint64_t> variables;
  const auto function = binary.find_function(name);
  if (!function)
    return variables;
  const auto code = binary.code(function->range);
  if (!code)
    return variables;
  const auto instructions = decode({binary.elf().machine(), function->range.start, *code});
  if (instructions)
    for (const Instruction &instruction : *instructions)
      if (instruction.variable)
        variables.insert(instruction.variable->value);
  return variables;
}

} // namespace

std::optional<ElfAddress> find_all_goroutines(const GoBinary &binary) {
  if (const auto symbol = binary.elf().find_symbol("runtime.allgs"))
    return symbol->address;
  constexpr std::uint64_t kLength = 8, kCapacity = 16; // in a slice, behind the pointer
  const auto appended = variables_of(binary, "runtime.allgadd");
  const auto walked = variables_of(binary, "runtime.forEachG");
  std::optional<ElfAddress> found;
  for (std::uint64_t slice : appended) {
    if (!appended.contains(slice + kLength) || !appended.contains(slice + kCapacity) ||
        !walked.contains(slice) || !walked.contains(slice + kLength))
      continue;
    if (found)
      return std::nullopt;
    found = {slice};
  }
  return found;
}

} // namespace mapscope
