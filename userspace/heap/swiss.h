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

  // One answer for each candidate in `maps`. Errors: as AddressSpace::read.
  Result<> decode(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                  const DecodeOptions &options, std::vector<DecodedMap> &maps);

private:
  // Whether the header alone makes sense. Fills what it says.
  bool parse_header(const HeaderCandidate &candidate, DecodedMap &map,
                    std::uint64_t &dir_len) const;
  Result<> start(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                 const DecodeOptions &options, std::vector<DecodedMap> &maps);
  Result<> take_directory(const ObjectRequest &request, std::span<const std::byte> bytes,
                          ObjectReader &reader, std::size_t tables_max, DecodedMap &map);
  // Asks for the groups of a small map or table, and with types for what is read with them.
  void ask_groups(const HeapObject &array, std::uint32_t map, std::uint32_t counts,
                  std::uint32_t place, ObjectReader &reader);
  // Groups, and what else was asked for with them.
  Result<> take_answer(const ObjectRequest &request, std::span<const std::byte> bytes,
                       ObjectReader &reader, DecodedMap &map);
  Result<> take_table(const ObjectRequest &request, std::span<const std::byte> bytes,
                      ObjectReader &reader, DecodedMap &map);

  // A map that an earlier census knows, and whose header is what it was.
  void recall(std::uint32_t index, DecodedMap &map) const;
  void recall_unchanged(std::vector<DecodedMap> &maps);

  HeapLayout layout_;
  TypeCheck *types_ = nullptr; // of the batch that is being decoded
  bool in_motion_ = false;     // DecodeOptions::in_motion, of the same
  // Of the batch that is being decoded, by the index of the candidate; kept for its memory.
  std::vector<std::uint64_t> len_in_tables_;
  std::vector<std::uint8_t> depth_;          // globalDepth
  std::vector<std::uint16_t> capacity_;      // of the table that was seen last; 0: none yet
  std::vector<const RememberedMap *> known_; // whose header is what it was
  std::vector<ObjectRequest> directories_, tables_, groups_;
  std::vector<std::uint32_t> places_; // TablePlace of each of groups_
  std::vector<std::uint32_t> sizes_;  // of groups, that the control words of a table allow
};

} // namespace mapscope
