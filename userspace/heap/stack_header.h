// A map whose header the compiler put on a goroutine's stack, and maybe its first group or bucket.
//
// Go source: cmd/compile/internal/walk/builtin.go, walkMakeMap (until 1.23, and 1.26 on),
// walkMakeSwissMap (1.24 and 1.25): a map that does not escape has its header on the stack, and
// with room for up to eight entries its group or bucket, too.
#pragma once

#include "base/address.h"
#include "base/error.h"
#include "heap/decoded_map.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/object_reader.h"

namespace mapscope {

// `stack`: where the group of a small map may lie, if it is no object of the heap. A classic map
// without entries is none: its bucket is all zero, as much memory is. Errors: as
// AddressSpace::read.
Result<DecodedMap> decode_on_stack(const HeaderCandidate &candidate, ProcessRange stack,
                                   const HeapLayout &layout, ObjectReader &reader,
                                   const DecodeOptions &options);

} // namespace mapscope
