// Offsets of runtime structures from a binary's own DWARF: what confirms or replaces the
// table for a toolchain that was not measured.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "binary/elf_file.h"

namespace mapscope {

// As RuntimeLayout::offsets.
using LayoutOffsets = std::map<std::string, std::uint32_t, std::less<>>;

// How long reading may take, decompression of .debug_info not counted.
inline constexpr std::uint64_t kDwarfBudgetNs = 250'000'000;

// Looks up `names`, written as in RuntimeLayout ("runtime.g.sched.sp", "runtime.g" for the
// size). What this binary's DWARF lacks is absent from the result: the linker describes only
// types that are used.
//
// Errors: not_found (no DWARF, or none of package runtime), malformed, unsupported (takes
// longer than the budget).
Result<LayoutOffsets> read_dwarf_offsets(const ElfFile &elf, std::span<const std::string> names);

} // namespace mapscope
