// Decodes swiss maps (Go 1.24 on) from their headers, in batches: directories of all maps are
// read, then all tables, then all groups. Believes nothing that another place contradicts.
//
// Go source: internal/runtime/maps/map.go, table.go, group.go (1.24 to 1.27).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/map_sample.h"
#include "heap/decoded_map.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/object_reader.h"

namespace mapscope {

class SwissDecoder {
public:
  explicit SwissDecoder(const HeapLayout &layout) : layout_(layout) {}

  // One answer for each candidate. Errors: as AddressSpace::read.
  Result<std::vector<DecodedMap>> decode(std::span<const HeaderCandidate> candidates,
                                         ObjectReader &reader, const DecodeOptions &options) const;

private:
  struct Batch;

  // Whether the header alone makes sense. Fills what it says.
  bool parse_header(const HeaderCandidate &candidate, DecodedMap &map,
                    std::uint64_t &dir_len) const;
  Result<> start(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                 bool headers_only, Batch &batch) const;
  Result<> take_directory(const ObjectRequest &request, std::span<const std::byte> bytes,
                          ObjectReader &reader, Batch &batch) const;
  Result<> take_table(const ObjectRequest &request, std::span<const std::byte> bytes,
                      ObjectReader &reader, Batch &batch) const;

  HeapLayout layout_;
};

} // namespace mapscope
