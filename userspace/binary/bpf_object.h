// BPF objects (.bpf.o) as compilers and linkers leave them: which maps they declare.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/error.h"
#include "flow/bpf_object.h"

namespace mapscope {

// Whether a file that begins with these bytes (64 are enough) is an ELF file for the BPF machine,
// of either byte order; objects of bpf-gcc and clang alike.
bool looks_like_bpf_object(std::span<const std::byte> beginning);

// Of such a beginning: whether it is for a big-endian machine, which read_bpf_object() refuses.
bool is_big_endian_object(std::span<const std::byte> beginning);

// Its maps: variables of .maps as their BTF types describe them, definitions of the older kind, and
// the data sections of which loaders make maps. `path` is for the facts only. Errors: unsupported
// (not an ELF object for BPF, big endian), malformed.
Result<BpfObjectFacts> read_bpf_object(std::span<const std::byte> file, std::string path);

} // namespace mapscope
