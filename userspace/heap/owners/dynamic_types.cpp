// Answers are remembered, since the same few words come again and again.
#include "heap/owners/dynamic_types.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/user_space.h"
#include "heap/bulk_read.h"
#include "heap/owners/type_claims.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kLowestAddress = 1 << 16; // vm.mmap_min_addr: below, there are numbers
// A program has some thousand; what no type was found at is remembered as well.
constexpr std::size_t kWordsMax = 1 << 20;
constexpr std::uint64_t kMethodsMax = 1024; // of an interface

// internal/abi.ITab, runtime.itab until 1.20. Offsets in bytes.
struct ItabFields {
  static constexpr std::uint64_t kInterface = 0, kType = 8, kHash = 16, kFunctions = 24;
};

} // namespace

DynamicTypes::DynamicTypes(AddressSpace &space, GoTypes types, const HeapLayout &,
                           const SpanTable &spans, const ProgramRoots *roots, LoadBias bias)
    : space_(space), types_(std::move(types)), spans_(spans), dictionaries_(types_) {
  if (roots == nullptr)
    return;
  for (const ClosureCode &closure : roots->closures)
    if (const std::uint64_t type = bias.to_process(closure.type).value;
        is_closure_struct(types_.memory(), type))
      closures_.emplace(bias.to_process(closure.entry).value, type);
}

Result<DynamicType> DynamicTypes::of_interface(std::uint64_t word, std::optional<bool> is_empty) {
  if (word < kLowestAddress || word % 8 != 0 || !is_in_user_space(word))
    return DynamicType{};
  auto known = words_.find(word);
  if (known == words_.end()) {
    const Word seen = TRY(look_at(word, is_empty));
    // As an itab, nobody looked for a type there that reflect made.
    if (is_empty == false && is_in_heap(word))
      return DynamicType{};
    if (words_.size() >= kWordsMax)
      words_.clear();
    known = words_.emplace(word, seen).first;
  }
  const Word &seen = known->second;
  const bool is_other =
      is_empty && seen.kind == (*is_empty ? Word::Kind::itab : Word::Kind::descriptor);
  return is_other ? DynamicType{} : seen.type;
}

Result<DynamicTypes::Word> DynamicTypes::look_at(std::uint64_t word, std::optional<bool> is_empty) {
  auto found = [this](std::uint64_t type, Word::Kind kind) {
    const auto header = types_.memory().header(type);
    return Word{{type, header && header->is_direct_in_interface}, kind};
  };
  const bool is_heap = is_in_heap(word);
  if (!is_heap || is_empty != false)
    if (TRY(is_type(word)))
      return found(word, Word::Kind::descriptor);
  if (!is_heap)
    if (const std::uint64_t type = TRY(type_of_itab(word)); type != 0)
      return found(type, Word::Kind::itab);
  return Word{};
}

bool DynamicTypes::is_in_heap(std::uint64_t address) const {
  return spans_.find_span(address).has_value() || spans_.arena_address(address) != 0;
}

// The type of the value; 0: this is no itab. The linker makes itabs, and the runtime does, outside
// of the heap.
Result<std::uint64_t> DynamicTypes::type_of_itab(std::uint64_t itab) {
  std::array<std::byte, ItabFields::kFunctions> bytes{};
  if (!TRY(read_constant(itab, bytes)))
    return 0;
  const TypeMemory &memory = types_.memory();
  const auto interface = load<std::uint64_t>(bytes, ItabFields::kInterface);
  const auto type = load<std::uint64_t>(bytes, ItabFields::kType);
  const auto hash = load<std::uint64_t>(bytes, ItabFields::kHash); // and what is never written
  // Interfaces with methods are made by compilers only.
  if (!is_type_of_executable(types_, interface) || !TRY(is_type(type)))
    return 0;
  const auto header = memory.header(interface);
  const auto methods = memory.word(interface + TypeFields::kInterfaceMethods + 8);
  if (!header || header->kind != GoKind::interface || !methods || *methods == 0 ||
      *methods > kMethodsMax)
    return 0;
  // Of itabs that the runtime makes, it is 0: they are in no type switch. runtime/iface.go,
  // getitab.
  if (hash != 0 && hash != type_hash(memory, type))
    return 0;
  return TRY(are_functions(itab + ItabFields::kFunctions, *methods)) ? type : 0;
}

// Whether words may be entries of code. The first one is 0 where a type lacks a method.
Result<bool> DynamicTypes::are_functions(std::uint64_t address, std::uint64_t count) {
  std::vector<std::uint64_t> entries(count);
  if (!TRY(read_constant(address, std::as_writable_bytes(std::span{entries}))))
    return false;
  return std::ranges::none_of(entries, [this](std::uint64_t entry) {
    return entry < kLowestAddress || !is_in_user_space(entry) || is_in_heap(entry) ||
           types_.memory().at(entry, 1);
  });
}

// False: it can't be read.
Result<bool> DynamicTypes::read_constant(std::uint64_t address, std::span<std::byte> into) {
  // From Go 1.27 on, itabs lie among the types.
  if (const auto known = types_.memory().at(address, into.size())) {
    std::ranges::copy(*known, into.begin());
    return true;
  }
  MemoryRead read{{address}, into};
  TRY(space_.read({&read, 1}));
  return read.is_read;
}

Result<bool> DynamicTypes::is_type(std::uint64_t descriptor) {
  if (is_type_of_executable(types_, descriptor))
    return true;
  // reflect keeps what it makes on the heap.
  return is_in_heap(descriptor) ? learn_made_type(space_, types_, descriptor) : false;
}

std::uint64_t DynamicTypes::closure_type(std::uint64_t entry) const {
  const auto closure = closures_.find(entry);
  return closure == closures_.end() ? 0 : closure->second;
}

Result<std::uint64_t> DynamicTypes::map_type_in_dictionary(std::uint64_t dictionary,
                                                           std::uint64_t words,
                                                           std::uint64_t shape) {
  // The linker makes dictionaries.
  if (dictionary % 8 != 0 || dictionary < kLowestAddress || is_in_heap(dictionary))
    return 0;
  return dictionaries_.map_type(space_, dictionary, words, shape);
}

bool DynamicTypes::is_shape(std::uint64_t type) const { return names_shape(types_.memory(), type); }

} // namespace mapscope
