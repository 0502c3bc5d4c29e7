// The maps that BTF describes: variables of the data section ".maps", whose types say by their
// members what libbpf and other loaders shall create.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/bpf_object.h"

namespace mapscope {

// Maps in the order of the section, each followed by the template of what it holds. Those that
// another object defines are left out. Errors: as Btf; malformed (a definition that no loader
// understands).
Result<std::vector<BpfDeclaredMap>> read_btf_maps(std::span<const std::byte> section);

} // namespace mapscope
