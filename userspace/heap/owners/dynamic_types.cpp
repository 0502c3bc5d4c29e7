// Answers are remembered, since the same few words come again and again.
#include "heap/owners/dynamic_types.h"

namespace mapscope {

DynamicTypes::DynamicTypes(AddressSpace &space, GoTypes types, const HeapLayout &layout,
                           const SpanTable &spans, const ProgramRoots *, LoadBias)
    : space_(space), types_(std::move(types)), layout_(layout), spans_(spans) {}

Result<DynamicType> DynamicTypes::of_interface(std::uint64_t, std::optional<bool>) {
  return DynamicType{};
}

std::uint64_t DynamicTypes::closure_type(std::uint64_t) const { return 0; }

Result<std::uint64_t> DynamicTypes::map_type_in_dictionary(std::uint64_t, std::uint64_t,
                                                           std::uint64_t) {
  return 0;
}

bool DynamicTypes::is_shape(std::uint64_t) const { return false; }

PointerBits::PointerBits(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans)
    : space_(space), layout_(layout), spans_(spans) {}

Result<> PointerBits::read(std::span<const HeapObject>) { return {}; }

std::optional<std::uint64_t> PointerBits::of(const HeapObject &) const { return std::nullopt; }

} // namespace mapscope
