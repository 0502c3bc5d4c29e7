// What the code of a program tells of its roots, stripped or not: the closures that it makes, the
// types of variables that it passes to map functions or appends to, and which code uses which data.
//
// By patterns of bytes, since decoding each instruction would take 50 times as long. A pattern
// counts only where it leads to what chance does not make: a function's entry, a descriptor, a
// variable. amd64 only.
#pragma once

#include <span>
#include <vector>

#include "binary/go_binary.h"
#include "binary/type_descriptors.h"
#include "flow/program_roots.h"

namespace mapscope {

struct CodeRoots {
  std::vector<ClosureCode> closures; // in the order of entries
  // Maps and slices, in the order of addresses, each without a name.
  std::vector<PackageVariable> variables;
  bool is_cut = false;       // there was more that looked like them than is looked at
  std::vector<DataUse> uses; // in the order of addresses; empty: not wanted
};

CodeRoots read_code_roots(const GoBinary &binary, const TypeDescriptors &types,
                          std::span<const MaskedData> masked, bool wants_uses);

} // namespace mapscope
