// What the header of a classic map says by itself.
#pragma once

#include "heap/classic_map.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"

namespace mapscope {

// Whether the header alone makes sense. Fills what it says, of the map's past too.
bool parse_classic_header(const HeapLayout &layout, const HeaderCandidate &candidate,
                          ClassicMap &map);

} // namespace mapscope
