// Three kinds of "address" meet in a tracer, and mixing two of them compiles to a
// plausible wrong symbol. So they are types, converted in one place.
#pragma once

#include <compare>
#include <cstdint>

namespace mapscope {

template <typename Space> struct Address {
  std::uint64_t value = 0;
  friend auto operator<=>(Address, Address) = default;
};

using FileOffset = Address<struct InFile>;        // what a uprobe wants
using ElfAddress = Address<struct InElf>;         // what symbols, pclntab and DWARF say
using ProcessAddress = Address<struct InProcess>; // what a register holds

// Where the segments of one executable landed in one process: process address = ELF
// address + bias, for all segments alike. Zero for an executable that is not position
// independent.
struct LoadBias {
  std::uint64_t value = 0;

  ElfAddress to_elf(ProcessAddress pc) const { return {pc.value - value}; }
  ProcessAddress to_process(ElfAddress pc) const { return {pc.value + value}; }
};

// [start, start + size_bytes)
template <typename Space> struct Range {
  Address<Space> start;
  std::uint64_t size_bytes = 0;

  bool contains(Address<Space> address) const { return address.value - start.value < size_bytes; }
  Address<Space> end() const { return {start.value + size_bytes}; }
  friend auto operator<=>(const Range &, const Range &) = default;
};

using ElfRange = Range<struct InElf>;
using ProcessRange = Range<struct InProcess>;

} // namespace mapscope
