// Telling a variable by how functions use it.
#include "binary/runtime_globals.h"

#include <set>

#include "binary/instruction_decoder.h"

namespace mapscope {
namespace {

enum class Uses { words, words_and_addresses };

// The variables that a function reads or writes, or also those whose address it takes; none where
// it is missing or cannot be decoded.
std::set<std::uint64_t> variables_of(const GoBinary &binary, std::string_view name,
                                     Uses uses = Uses::words) {
  std::set<std::uint64_t> variables;
  const auto function = binary.find_function(name);
  if (!function)
    return variables;
  const auto code = binary.code(function->range);
  if (!code)
    return variables;
  const auto instructions = decode({binary.elf().machine(), function->range.start, *code});
  if (!instructions)
    return variables;
  for (const Instruction &instruction : *instructions)
    if (instruction.variable)
      variables.insert(instruction.variable->value);
    else if (uses == Uses::words_and_addresses && instruction.target &&
             instruction.kind == InstructionKind::address)
      variables.insert(instruction.target->value);
  return variables;
}

std::optional<ElfAddress> only_of_both(const std::set<std::uint64_t> &left,
                                       const std::set<std::uint64_t> &right) {
  std::optional<ElfAddress> found;
  for (std::uint64_t variable : left) {
    if (!right.contains(variable))
      continue;
    if (found)
      return std::nullopt;
    found = {variable};
  }
  return found;
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

std::optional<ElfAddress> find_memory_profile_rate_in_code(const GoBinary &binary) {
  return only_of_both(variables_of(binary, "runtime.profilealloc"),
                      variables_of(binary, "runtime.allocmcache"));
}

std::optional<ElfAddress> find_memory_buckets_in_code(const GoBinary &binary) {
  return only_of_both(variables_of(binary, "runtime.mProf_FlushLocked"),
                      variables_of(binary, "runtime.stkbucket", Uses::words_and_addresses));
}

} // namespace mapscope
