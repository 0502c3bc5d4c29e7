// Decodes classic maps (Go 1.17 to 1.23, and noswissmap builds of 1.24 and 1.25) from their
// headers, in batches: bucket arrays first, since their contents tell how large a bucket is, then
// old arrays and chains of overflow buckets, one link of all chains at a time.
//
// Go source: runtime/map.go (1.17 to 1.23), runtime/map_noswiss.go (1.24, 1.25).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "heap/decoded_map.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/object_reader.h"

namespace mapscope {

class ClassicDecoder {
public:
  explicit ClassicDecoder(const HeapLayout &layout) : layout_(layout) {}

  // One answer for each candidate in `maps`. Errors: as AddressSpace::read.
  Result<> decode(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                  const DecodeOptions &options, std::vector<DecodedMap> &maps) const;

private:
  HeapLayout layout_;
};

} // namespace mapscope
