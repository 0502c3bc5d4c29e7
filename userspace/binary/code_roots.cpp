// One pass over the text of all functions, instruction operand by instruction operand.
#include "binary/code_roots.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "binary/data_users.h"
#include "binary/instruction_decoder.h"
#include "binary/map_types.h"
#include "binary/probe_catalog.h"
#include "binary/relative_operands.h"
#include "wire/roots_archive.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kUnclear = ~std::uint64_t{0};
constexpr std::size_t kDecodesMax = 1 << 15; // a program of 100 MB needs some hundred
constexpr std::uint64_t kSliceBytes = 24, kCapacityOffset = 16;

// What several places of the code say of an address; what they do not agree on is not known.
class Agreement {
public:
  void add(std::uint64_t address, std::uint64_t type) {
    if (said_.size() >= RootLimits::kClosures)
      return;
    const auto [entry, is_new] = said_.try_emplace(address, type);
    if (!is_new && entry->second != type)
      entry->second = kUnclear;
  }
  // In the order of addresses.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> agreed() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pairs;
    std::ranges::copy_if(said_, std::back_inserter(pairs),
                         [](const auto &pair) { return pair.second != kUnclear; });
    std::ranges::sort(pairs);
    return pairs;
  }

private:
  std::unordered_map<std::uint64_t, std::uint64_t> said_;
};

class CodeScan {
public:
  CodeScan(const GoBinary &binary, const TypeDescriptors &types, std::span<const MaskedData> masked,
           DataUsers *users)
      : binary_(binary), types_(types), map_types_(binary), masked_(masked), users_(users),
        text_(binary.module_data().text),
        takes_element_type_first_(binary.build_info().toolchain.version.minor >= 17 &&
                                  binary.build_info().toolchain.version.minor <= 19) {}

  void scan(const FunctionView &function) {
    const auto code = binary_.code(function.range);
    if (!code)
      return;
    function_ = Code{binary_.elf().machine(), function.range.start, *code};
    closure_type_ = {};
    map_type_ = map_word_ = element_type_ = {};
    for_each_relative_operand(*code, function.range.start.value,
                              [&](const RelativeOperand &operand) {
                                if (types_.range().contains({operand.target}))
                                  note_type(operand);
                                else if (text_.contains({operand.target}))
                                  note_code(operand);
                                else if (is_masked(operand.target))
                                  note_data(operand, function.index);
                              });
  }

  CodeRoots take() const {
    CodeRoots roots;
    for (const auto &[entry, type] : closures_.agreed())
      roots.closures.push_back({{entry}, {type}});
    for (const auto &[word, type] : map_words_.agreed())
      roots.variables.push_back({.address = {word},
                                 .type = {type},
                                 .size_bytes = sizeof(std::uint64_t),
                                 .evidence = RootEvidence::code});
    for (const auto &[word, type] : slices_.agreed())
      roots.variables.push_back({.address = {word},
                                 .pointee = {type},
                                 .is_slice = true,
                                 .size_bytes = kSliceBytes,
                                 .evidence = RootEvidence::code});
    std::ranges::sort(roots.variables, {}, &PackageVariable::address);
    roots.is_cut = decodes_left_ == 0;
    return roots;
  }

private:
  enum class TypeUse : std::uint8_t { none, closure, map };

  // A hostile file can have more places that look like something than there is time for.
  bool may_decode() {
    if (decodes_left_ != 0)
      --decodes_left_;
    return decodes_left_ != 0;
  }

  // Where an operand was, and what it said.
  struct Seen {
    std::uint64_t value = 0; // 0: nothing
    std::size_t at = 0, end = 0;
  };

  bool is_masked(std::uint64_t address) const {
    return std::ranges::any_of(
        masked_, [&](const MaskedData &data) { return data.range.contains({address}); });
  }

  TypeUse use_of(std::uint64_t type) {
    const auto [entry, is_new] = type_uses_.try_emplace(type, TypeUse::none);
    if (is_new)
      entry->second = find_use_of({type});
    return entry->second;
  }

  // Closures are structs that begin with their code: the compiler calls that field F.
  TypeUse find_use_of(ElfAddress type) const {
    constexpr std::string_view kWithoutHash = "noalg.", kClosure = "struct { F uintptr";
    const auto header = types_.read(type);
    if (!header)
      return TypeUse::none;
    if (header->kind == GoKind::map)
      return map_types_.read(type) ? TypeUse::map : TypeUse::none;
    std::string_view name = types_.name(type);
    if (name.starts_with(kWithoutHash))
      name.remove_prefix(kWithoutHash.size());
    return header->kind == GoKind::structure && name.starts_with(kClosure) ? TypeUse::closure
                                                                           : TypeUse::none;
  }

  void note_type(const RelativeOperand &operand) {
    if (operand.opcode != kLea)
      return;
    const Seen seen{operand.target, operand.start, operand.end};
    if (operand.reg == (takes_element_type_first_ ? kRax : kRsi))
      element_type_ = seen;
    const TypeUse use = use_of(operand.target);
    if (use == TypeUse::closure)
      closure_type_ = seen;
    if (use != TypeUse::map || operand.reg != kRax)
      return;
    map_type_ = seen;
    check_map_call();
  }

  // new(closure) comes first, then the address of the code goes into it.
  void note_code(const RelativeOperand &operand) {
    constexpr std::size_t kDistanceMax = 64;
    if (operand.opcode != kLea || closure_type_.value == 0)
      return;
    const auto function = binary_.function_at({operand.target});
    if (!function || function->range.start.value != operand.target)
      return;
    if (operand.start - closure_type_.end < kDistanceMax)
      closures_.add(operand.target, closure_type_.value);
    closure_type_ = {};
  }

  void note_data(const RelativeOperand &operand, std::uint32_t function) {
    if (users_ != nullptr)
      users_->add(operand.target, function);
    if (operand.target % sizeof(std::uint64_t) != 0)
      return;
    if (operand.opcode == kMovToMemory && operand.reg == kRcx)
      check_growth(operand);
    if (operand.opcode != kMovFromMemory || operand.reg != kRbx)
      return;
    map_word_ = {operand.target, operand.start, operand.end};
    check_map_call();
  }

  // lea T,%rax and mov v,%rbx next to each other, in any order, and then a call that takes a map
  // type and a map.
  void check_map_call() {
    constexpr std::size_t kDistanceMax = 32;
    if (map_type_.value == 0 || map_word_.value == 0)
      return;
    const Seen &first = map_type_.at < map_word_.at ? map_type_ : map_word_;
    const Seen &second = map_type_.at < map_word_.at ? map_word_ : map_type_;
    if (second.at - first.at < kDistanceMax && may_decode() && leads_to_map_call(first.at))
      map_words_.add(map_word_.value, map_type_.value);
  }

  // Whether straight code leads from `from` through both loads to such a call, and leaves what they
  // loaded as it is.
  bool leads_to_map_call(std::size_t from) const {
    constexpr std::size_t kInstructionsMax = 16, kInstructionBytesMax = 15;
    const auto bytes = function_.bytes.subspan(from);
    const auto instructions =
        decode({function_.machine,
                {function_.start.value + from},
                bytes.first(std::min(bytes.size(), kInstructionsMax * kInstructionBytesMax))},
               kInstructionsMax);
    if (!instructions)
      return false;
    bool has_type = false, has_word = false;
    for (const Instruction &instruction : *instructions) {
      const std::uint64_t end = instruction.end().value - function_.start.value;
      if (instruction.kind == InstructionKind::call)
        return has_type && has_word && takes_map(*instruction.target);
      if (instruction.kind == InstructionKind::jump || instruction.kind == InstructionKind::ret ||
          instruction.kind == InstructionKind::indirect_jump)
        return false;
      has_type = end == map_type_.end || (has_type && !instruction.sets_first_argument);
      has_word = end == map_word_.end || (has_word && !instruction.sets_second_argument);
    }
    return false;
  }

  // append() on a variable: call runtime.growslice; mov %rcx,v+16(%rip), which is the capacity.
  // Go source: cmd/compile/internal/ssagen, append.
  void check_growth(const RelativeOperand &capacity) {
    constexpr std::size_t kCallBytes = 5, kDistanceMax = 64, kInstructionsMax = 24;
    const std::uint64_t slice = capacity.target - kCapacityOffset;
    if (element_type_.value == 0 || !is_masked(slice) || capacity.start < kCallBytes ||
        capacity.start - kCallBytes < element_type_.end ||
        capacity.start - element_type_.end > kDistanceMax || !may_decode())
      return;
    const auto instructions =
        decode({function_.machine,
                {function_.start.value + element_type_.at},
                function_.bytes.subspan(element_type_.at, capacity.start - element_type_.at)},
               kInstructionsMax);
    if (!instructions || instructions->size() < 2 ||
        instructions->back().kind != InstructionKind::call || !grows_slice(*instructions))
      return;
    const auto header = types_.read({element_type_.value});
    // Generic code knows shapes only.
    if (header && header->pointer_bytes != 0 &&
        !types_.name({element_type_.value}).contains("go.shape."))
      slices_.add(slice, element_type_.value);
  }

  // From the load of the type on to the call, nothing else writes its register or leaves the way.
  bool grows_slice(std::span<const Instruction> instructions) const {
    const auto callee = binary_.function_at(*instructions.back().target);
    const auto between = instructions.subspan(1, instructions.size() - 2);
    return callee && callee->range.start == *instructions.back().target &&
           callee->name == "runtime.growslice" &&
           std::ranges::none_of(between, [&](const Instruction &instruction) {
             return instruction.kind == InstructionKind::call ||
                    instruction.kind == InstructionKind::jump ||
                    instruction.kind == InstructionKind::indirect_jump ||
                    instruction.kind == InstructionKind::ret ||
                    (takes_element_type_first_ ? instruction.sets_first_argument
                                               : instruction.sets_fifth_argument);
           });
  }

  bool takes_map(ElfAddress callee) const {
    const auto function = binary_.function_at(callee);
    return function && function->range.start == callee && takes_map_type_first(function->name) &&
           !function->name.starts_with("runtime.makemap"); // takes a length second
  }

  const GoBinary &binary_;
  const TypeDescriptors &types_;
  const MapTypeReader map_types_;
  std::span<const MaskedData> masked_;
  DataUsers *users_;
  ElfRange text_;
  bool takes_element_type_first_; // runtime.growslice, until Go 1.19; then as the fifth

  Code function_; // at hand
  std::size_t decodes_left_ = kDecodesMax;
  Seen closure_type_, map_type_, map_word_, element_type_;

  std::unordered_map<std::uint64_t, TypeUse> type_uses_;
  Agreement closures_, map_words_, slices_;
};

} // namespace

CodeRoots read_code_roots(const GoBinary &binary, const TypeDescriptors &types,
                          std::span<const MaskedData> masked, bool wants_uses) {
  DataUsers users{binary};
  CodeScan scan{binary, types, masked, wants_uses ? &users : nullptr};
  for (const FunctionView &function : binary.functions())
    scan.scan(function);
  CodeRoots roots = scan.take();
  if (wants_uses)
    roots.uses = std::move(users).take();
  return roots;
}

} // namespace mapscope
