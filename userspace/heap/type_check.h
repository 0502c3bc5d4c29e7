// Which map types the contents of a map allow, and whether its keys hash to where they lie.
//
// The decoders hand in what they read of each map of a batch; what the keys of strings point to is
// read for all of them at the end. A type that the contents disprove is dropped; a map that holds
// entries, and for which no type is left, is none, or was read while it changed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "heap/decoded_map.h"
#include "heap/entry_cells.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/object_reader.h"
#include "heap/pointer_bitmap.h"
#include "heap/runtime_data.h"
#include "heap/type_index.h"

namespace mapscope {

inline constexpr std::uint32_t kFetchedBytesMax = 1024; // of what a key points to, at once

class TypeCheck {
public:
  TypeCheck(TypeIndex index, const HeapLayout &layout)
      : index_(std::move(index)), layout_(layout) {}

  TypeIndex &index() { return index_; }

  // For the types of that process. Null: they can't be read there. Errors: gone, denied, system.
  static Result<std::shared_ptr<TypeCheck>> of(AddressSpace &space, const HeapAnchors &anchors,
                                               const BinaryFacts &facts, const HeapLayout &layout);

  // Forgets the last batch.
  void start(std::size_t map_count);
  // Asks for what the collector takes for pointers in that array, where its span tells: the answer
  // goes to take_bitmap(). To be asked before the array, since answers of one span keep their
  // order; one that comes late tells nothing.
  static constexpr std::uint32_t kBitmapTag = 0xffffffff;
  void ask_bitmap(std::uint32_t map, const HeapObject &array, const SpanTable &spans,
                  std::vector<ObjectRequest> &requests);
  void take_bitmap(const ObjectRequest &request, std::span<const std::byte> bytes);
  // The first cells of a map that are not empty tell its type; pointees are counted in all.
  Result<> take(std::uint32_t map, const EntryCells &cells, ObjectReader &reader);
  // Whether a type with groups of that size is left.
  bool may_have_groups_of(std::uint32_t map, std::uint32_t group_bytes);
  // Reads what is left to read, and says of each map that is pending what is known of its type.
  Result<> finish(std::span<const HeaderCandidate> candidates, ObjectReader &reader,
                  std::span<DecodedMap> maps);

  // Hashes are believed once keys of real maps have shown that they are computed as this process
  // does. False: the last batch found nothing but disagreement, and has to be decoded again, with
  // hashing off.
  bool is_sure() const { return is_sure_; }
  void set_hashing(bool is_on) { is_hashing_ = is_on && can_hash_; }

private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct PointeeBytes {
    std::uint64_t heap_bytes = 0;
    BytesInMemory in_memory;
  };
  struct PointeeSum {
    std::uint32_t rule = kNone;
    PointeeBytes bytes;
  };
  struct MapState {
    std::uint32_t set = 0;
    std::uint32_t fitting = 0;          // by sizes alone
    std::uint32_t bitmap_first = 0;     // where the bits of the array begin in what was asked for
    std::uint64_t pointers = 0;         // as the bitmap has them
    std::array<PointeeSum, 3> pointees; // by rules that all of them agree with so far
    std::uint8_t keys_checked = 0;      // that agree with a type that is left
    bool is_started : 1 = false;
    bool has_bitmap : 1 = false;
    bool has_group_name : 1 = false; // the heap says what type the array has
    bool has_waiting_keys : 1 = false;
    bool was_refused : 1 = false;   // by the hash of a key
    bool was_misshapen : 1 = false; // a type was dropped for something else than its keys
    bool is_contradicted : 1 = false;
    bool is_doubtful : 1 = false;
  };
  // Bits of the first words of an array, in a heapArena.
  struct ArenaBitmap {
    PointerBitmapPlace place;
    std::uint32_t map = 0;
  };
  // Where a key was found.
  struct KeyPlace {
    std::uint64_t bucket = 0, bucket_count = 0; // classic
    std::uint32_t position = 0, run_log2 = 0, depth = 0;
    std::uint8_t control = 0;
    bool is_classic = false;

    bool accepts(std::uint64_t hash) const;
  };
  // A key whose hash needs memory that is not yet read.
  struct WaitingKey {
    std::uint32_t map = 0, rule = 0;
    std::uint32_t first_wanted = 0, wanted_count = 0; // in wanted_
    std::uint32_t key = 0, key_bytes = 0;             // in key_bytes_
    std::uint64_t seed = 0;
    KeyPlace place;
    bool is_complete = false;
  };
  using Fetched = std::vector<std::span<const std::byte>>;

  Result<> begin(MapState &state, const EntryCells &cells, ObjectReader &reader);
  void apply_rules(MapState &state, const EntryCells &cells);
  bool passes(MapState &state, std::uint32_t rule, const EntryCells &cells, unsigned &keys_checked);
  bool check_keys(const MapState &state, std::uint32_t rule, const EntryCells &cells,
                  unsigned &keys_checked) const;
  static bool has_pointers(const MapState &state, const TypeCheckRule &rule);
  void drop(MapState &state, std::uint32_t rule);
  void queue_keys(std::uint32_t map, MapState &state, const EntryCells &cells);
  Result<> count_pointees(MapState &state, const EntryCells &cells, ObjectReader &reader);
  // Nothing: not all of them are objects of the right size.
  Result<std::optional<PointeeBytes>> pointee_bytes(const TypeCheckRule &rule,
                                                    const EntryCells &cells, ObjectReader &reader);
  const PointerBitmaps &bitmaps(const SpanTable &spans);
  // What the collector takes for pointers, until Go 1.21.
  void want_arena_bitmap(std::uint32_t map, const HeapObject &array, const SpanTable &spans);
  Result<> read_arena_bitmaps(AddressSpace &space);
  Result<> check_waiting_keys(AddressSpace &space);
  Result<> fetch(AddressSpace &space, std::size_t first);
  void want_more(WaitingKey &key);
  // Of one map, by one rule.
  void check_waiting_keys_of(std::span<const WaitingKey> keys);
  enum class KeyAnswer : std::uint8_t { agrees, refuses, tells_nothing };
  KeyAnswer ask(const WaitingKey &key) const;
  std::span<const std::byte> key_of(const WaitingKey &key) const;
  // Nothing: some of it can't be read.
  std::optional<Fetched> fetched_of(const WaitingKey &key) const;
  Result<> find_changed(std::span<const HeaderCandidate> candidates, AddressSpace &space,
                        std::span<DecodedMap> maps);
  void decide_on_trust();
  void judge(MapState &state, DecodedMap &map);

  TypeIndex index_;
  HeapLayout layout_;
  bool is_hashing_ = true; // in this batch
  bool can_hash_ = true;
  bool is_sure_ = true, is_trusted_ = false;
  std::optional<PointerBitmaps> bitmaps_;            // once spans are known
  std::uint64_t keys_agreed_ = 0, maps_refused_ = 0; // before hashes are trusted

  // Of the batch; kept for its memory.
  std::vector<MapState> states_;
  std::vector<ArenaBitmap> arena_bitmaps_;
  std::vector<WaitingKey> waiting_;
  std::vector<WantedRange> wanted_;
  std::uint64_t wanted_bytes_ = 0;
  std::vector<std::byte> key_bytes_;
  std::vector<std::byte> fetched_bytes_;
  std::vector<std::uint32_t> order_;                     // of wanted_, by address
  std::vector<std::optional<std::uint32_t>> fetched_at_; // of each of wanted_, in fetched_bytes_
};

} // namespace mapscope
