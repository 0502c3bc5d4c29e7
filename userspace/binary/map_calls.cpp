// Following one register through straight code, and forgetting it wherever code may join.
#include "binary/map_calls.h"

#include <algorithm>

#include "binary/probe_catalog.h"

namespace mapscope {
namespace {

using Addresses = std::unordered_set<std::uint64_t>;

// Go passed arguments on the stack on arm64 until 1.17.
bool passes_in_registers(const GoBinary &binary) {
  const GoVersion version = binary.build_info().toolchain.version;
  return binary.elf().machine() == Machine::amd64 || version.minor >= 18;
}

bool calls_with_map_type(const GoBinary &binary, const Instruction &call) {
  if (call.kind != InstructionKind::call)
    return false;
  const auto callee = binary.function_at(*call.target);
  return callee && callee->range.start == *call.target && takes_map_type_first(callee->name);
}

// What may be a table of places to jump to: all that lie in the function, from its start on.
void add_jump_table(const GoBinary &binary, const ElfRange &function, ElfAddress table,
                    Addresses &targets) {
  for (;; table.value += sizeof(std::uint64_t)) {
    const auto entry = binary.elf().read_pointer(table);
    if (!entry || !function.contains({*entry}))
      return;
    targets.insert(*entry);
  }
}

// Where the switches of a function jump to.
Addresses find_jump_table_targets(const GoBinary &binary, const Code &function,
                                  std::span<const Instruction> instructions) {
  Addresses targets;
  if (std::ranges::find(instructions, InstructionKind::indirect_jump, &Instruction::kind) ==
      instructions.end())
    return targets;
  for (const Instruction &instruction : instructions)
    if (instruction.kind == InstructionKind::address)
      add_jump_table(binary, function.range(), *instruction.target, targets);
  return targets;
}

bool leaves_block(const Instruction &instruction) {
  switch (instruction.kind) {
  case InstructionKind::jump:
  case InstructionKind::indirect_jump:
  case InstructionKind::ret:
    return true;
  default:
    return false;
  }
}

// What the first argument's register holds at the call in front of `return_address`, where that
// takes a map type first and the code says it.
std::optional<ElfAddress> map_type_address(const GoBinary &binary, ElfAddress return_address) {
  const auto function = binary.function_at({return_address.value - 1});
  if (!function || !passes_in_registers(binary))
    return std::nullopt;
  const auto bytes = binary.code(function->range);
  if (!bytes)
    return std::nullopt;
  const Code code{binary.elf().machine(), function->range.start, *bytes};
  const auto instructions = decode(code);
  if (!instructions)
    return std::nullopt;
  const auto call = std::ranges::find(*instructions, return_address, &Instruction::end);
  if (call == instructions->end() || !calls_with_map_type(binary, *call))
    return std::nullopt;

  return first_argument_at(*instructions, return_address,
                           find_jump_table_targets(binary, code, *instructions));
}

} // namespace

std::optional<ElfAddress> first_argument_at(std::span<const Instruction> instructions,
                                            ElfAddress return_address, Addresses joins) {
  for (const Instruction &instruction : instructions)
    if (instruction.kind == InstructionKind::jump ||
        instruction.kind == InstructionKind::conditional_jump)
      joins.insert(instruction.target->value);
  std::optional<ElfAddress> argument;
  for (const Instruction &instruction : instructions) {
    if (joins.contains(instruction.address.value))
      argument.reset();
    if (instruction.end() == return_address)
      return argument;
    if (instruction.sets_first_argument || leaves_block(instruction))
      argument = instruction.kind == InstructionKind::address ? instruction.target : std::nullopt;
  }
  return std::nullopt;
}

std::optional<MapType> map_type_at_call(const GoBinary &binary, const MapTypeReader &types,
                                        ElfAddress return_address) {
  const auto address = map_type_address(binary, return_address);
  auto type = address ? types.read(*address) : std::nullopt;
  // Until Go 1.20 generic code passes a type that all maps of the same shape share.
  if (type && type->name.contains("go.shape."))
    return std::nullopt;
  return type;
}

} // namespace mapscope
