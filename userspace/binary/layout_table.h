// Offsets of runtime structures by Go version, measured from real toolchains: what stands in
// for DWARF in a stripped binary. See docs/layouts.md.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "flow/binary_facts.h"

namespace mapscope {

// The layout that the runtime of this version has: source `table` for a toolchain that was
// measured, `nearest` where another patch release of its minor version was (the lower of two
// that are equally near), `none` for a minor version or an experiment that the table lacks.
//
// `experiments` as in BinaryFacts; only noswissmap changes a layout.
RuntimeLayout layout_for(GoVersion version, Machine machine,
                         std::span<const std::string> experiments);

// Every name that some toolchain has an offset or a size for.
std::vector<std::string> layout_names();

} // namespace mapscope
