// Package variables of a Go program, by its DWARF and by its symbol table.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "binary/go_binary.h"
#include "binary/type_descriptors.h"
#include "flow/program_roots.h"

namespace mapscope {

struct DwarfVariables {
  std::vector<PackageVariable> variables; // that have pointers; in no order
  std::vector<ElfRange> known;            // of every variable that is described, in no order
  std::vector<std::string> warnings;
};

// Errors: not_found (no DWARF), malformed.
Result<DwarfVariables> read_dwarf_variables(const GoBinary &binary, const TypeDescriptors &types);

// What .symtab says lies in `masked`. Empty: the binary is stripped.
std::vector<PackageVariable> read_symbol_variables(const GoBinary &binary,
                                                   std::span<const MaskedData> masked);

} // namespace mapscope
