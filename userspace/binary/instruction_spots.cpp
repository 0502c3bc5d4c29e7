// The shapes of prologues that Go compilers have made, 1.17 to 1.27.
#include "binary/instruction_spots.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <unordered_set>

#include "base/byte_reader.h"

namespace mapscope {
namespace {

// The longest check, for a frame of more than 4 KiB, has 6 instructions, and an assembly
// function loads g before it.
constexpr std::size_t kPrologueInstructionsMax = 12;
// Spilling nine argument registers, calling morestack, reloading them, and jumping back.
constexpr std::size_t kSlowPathInstructionsMax = 48;
constexpr std::size_t kExpectedBytesMax = 8;

Result<Code> from(const Code &function, ElfAddress address) {
  std::uint64_t offset = address.value - function.start.value;
  auto rest = TRY(ByteReader{function.bytes}.from(offset));
  return Code{function.machine, address, rest.bytes()};
}

// The slow path of the check calls morestack and then starts the function again. No other
// code jumps to a function's first instruction.
bool is_slow_path(const Code &function, ElfAddress address) {
  if (!function.range().contains(address))
    return false;
  auto path = from(function, address);
  auto instructions =
      path ? decode(*path, kSlowPathInstructionsMax) : std::unexpected(path.error());
  if (!instructions)
    return false;
  bool called = false;
  for (const Instruction &instruction : *instructions) {
    called |= instruction.kind == InstructionKind::call;
    if (instruction.kind == InstructionKind::jump)
      return called && instruction.target == function.start;
    if (instruction.kind == InstructionKind::ret)
      return false;
  }
  return false;
}

// The last conditional jump of the check; the check for a large frame has two.
const Instruction *find_stack_check(const Code &function, std::span<const Instruction> prologue) {
  const Instruction *check = nullptr;
  for (const Instruction &instruction : prologue) {
    if (instruction.kind != InstructionKind::conditional_jump)
      continue;
    bool belongs = check != nullptr ? instruction.target == check->target
                                    : is_slow_path(function, *instruction.target);
    if (!belongs)
      break;
    check = &instruction;
  }
  return check;
}

ProbeSpot spot_on(const Code &function, const Instruction &instruction) {
  auto offset = instruction.address.value - function.start.value;
  auto bytes = function.bytes.subspan(offset).first(
      std::min(kExpectedBytesMax, function.bytes.size() - offset));
  ProbeSpot spot{.address = instruction.address, .expected = {}, .emulated = instruction.emulated};
  std::ranges::transform(bytes, std::back_inserter(spot.expected),
                         [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return spot;
}

} // namespace

Result<ProbeSpot> find_entry_spot(const Code &function) {
  auto prologue = TRY(decode(function, kPrologueInstructionsMax));
  if (prologue.empty())
    return fail(Errc::malformed, "the function at {:#x} is empty", function.start.value);
  const Instruction *check = find_stack_check(function, prologue);
  if (check == nullptr)
    return spot_on(function, prologue.front());
  auto behind = std::ranges::find(prologue, check->end(), &Instruction::address);
  bool prefer_check = behind == prologue.end() || !behind->emulated;
  ProbeSpot spot = spot_on(function, prefer_check ? *check : *behind);
  spot.on_stack_check = prefer_check;
  return spot;
}

Result<std::vector<ElfAddress>> find_returns(const Code &function) {
  auto instructions = TRY(decode(function));
  std::unordered_set<std::uint64_t> boundaries, literals;
  for (const Instruction &instruction : instructions) {
    boundaries.insert(instruction.address.value);
    if (instruction.kind == InstructionKind::literal)
      literals.insert(instruction.target->value);
  }
  std::vector<ElfAddress> returns;
  for (const Instruction &instruction : instructions) {
    bool jumps = instruction.kind == InstructionKind::jump ||
                 instruction.kind == InstructionKind::conditional_jump;
    if (jumps && function.range().contains(*instruction.target) &&
        !boundaries.contains(instruction.target->value))
      return fail(Errc::malformed, "{:#x} jumps to {:#x}, which is inside an instruction",
                  instruction.address.value, instruction.target->value);
    if (instruction.kind == InstructionKind::ret && !literals.contains(instruction.address.value))
      returns.push_back(instruction.address);
  }
  return returns;
}

Result<std::vector<ElfAddress>> find_referenced_addresses(const Code &function) {
  std::vector<ElfAddress> addresses;
  for (const Instruction &instruction : TRY(decode(function)))
    if (instruction.kind == InstructionKind::address)
      addresses.push_back(*instruction.target);
  return addresses;
}

std::optional<std::int32_t> find_tls_offset(const Code &stackcheck) {
  // mov %fs:OFFSET,%rax
  constexpr std::array<std::uint8_t, 5> kDirect{0x64, 0x48, 0x8b, 0x04, 0x25};
  // mov $OFFSET,%rcx; mov %fs:(%rcx),%rax: position independent
  constexpr std::array<std::uint8_t, 3> kByRegister{0x48, 0xc7, 0xc1};
  constexpr std::array<std::uint8_t, 4> kLoad{0x64, 0x48, 0x8b, 0x01};

  auto has = [&](std::size_t offset, std::span<const std::uint8_t> pattern) {
    auto bytes = ByteReader{stackcheck.bytes}.window(offset, pattern.size());
    return bytes && std::memcmp(bytes->bytes().data(), pattern.data(), pattern.size()) == 0;
  };
  auto offset_at = [&](std::size_t offset) -> std::optional<std::int32_t> {
    auto value = ByteReader{stackcheck.bytes}.read_at<std::int32_t>(offset);
    return value ? std::optional{*value} : std::nullopt;
  };
  if (stackcheck.machine != Machine::amd64)
    return std::nullopt;
  if (has(0, kDirect))
    return offset_at(kDirect.size());
  if (has(0, kByRegister) && has(kByRegister.size() + sizeof(std::int32_t), kLoad))
    return offset_at(kByRegister.size());
  return std::nullopt;
}

} // namespace mapscope
