// Answers are remembered, since the same few words come again and again.
#include "heap/owners/dynamic_types.h"

#include <array>
#include <unordered_set>
#include <utility>

#include "heap/bulk_read.h"
#include "heap/owners/type_claims.h"

namespace mapscope {
namespace {

constexpr unsigned kUserAddressBits = 47;
constexpr std::uint64_t kLowestAddress = 1 << 16; // vm.mmap_min_addr: below, there are numbers
// A program has some thousand; what no type was found at is remembered as well.
constexpr std::size_t kWordsMax = 1 << 20;

// internal/abi.ITab, runtime.itab until 1.20. Offsets in bytes.
struct ItabFields {
  static constexpr std::uint64_t kBytes = 32; // with the first of its functions
  static constexpr std::uint64_t kInterface = 0, kType = 8, kHash = 16, kFunction = 24;
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
  if (word < kLowestAddress || word % 8 != 0 || word >> kUserAddressBits != 0)
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
  const TypeMemory &memory = types_.memory();
  std::array<std::byte, ItabFields::kBytes> copy{};
  auto bytes = memory.at(itab, copy.size()); // from Go 1.27 on, they lie among the types
  if (!bytes) {
    MemoryRead read{{itab}, copy};
    TRY(space_.read({&read, 1}));
    if (!read.is_read)
      return 0;
    bytes = copy;
  }
  const auto interface = load<std::uint64_t>(*bytes, ItabFields::kInterface);
  const auto type = load<std::uint64_t>(*bytes, ItabFields::kType);
  const auto hash = load<std::uint32_t>(*bytes, ItabFields::kHash);
  // Interfaces with methods are made by compilers only. Without a function, the type does not
  // implement it, and no value has this itab.
  if (load<std::uint64_t>(*bytes, ItabFields::kFunction) == 0 ||
      !is_type_of_executable(types_, interface) || !TRY(is_type(type)))
    return 0;
  const auto header = memory.header(interface);
  const auto is_empty = memory.is_empty_interface(interface);
  return header && header->kind == GoKind::interface && is_empty == false &&
                 type_hash(memory, type) == hash
             ? type
             : 0;
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
