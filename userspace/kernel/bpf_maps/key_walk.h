// Goes through the keys of one map, a page at a time: in batches where the kernel has them, else
// key by key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct MapKeyPage {
  std::size_t count = 0;
  std::span<const std::byte> keys;   // one after another
  std::span<const std::byte> values; // likewise; empty where they were not wanted or can't be read
};

// Whether keys of that type can be gone through at all; where not, why: a phrase. Empty: they can.
std::string why_no_keys(const BpfMapFacts &map);

class MapKeyWalk {
public:
  // Errors: unsupported, not_found, denied, system.
  static Result<MapKeyWalk> open(const BpfMapFacts &map, bool with_values);

  // The next page, perhaps without keys. Its spans are good until the next call.
  Result<MapKeyPage> next();
  bool is_over() const { return is_over_; }
  // Over, but not all were seen: why, a phrase.
  const std::string &stopped() const { return stopped_; }
  // Of hash maps: how much of the hash is behind us, 0 .. 1. Keys are spread over it by a seed, so
  // that what was seen is a sample.
  std::optional<double> share() const;

private:
  MapKeyWalk() = default;
  Result<MapKeyPage> next_batch();
  Result<MapKeyPage> next_keys();
  Result<bool> take_value(std::size_t index);
  bool grow();
  void stop(std::string why);

  BpfMapFacts facts_;
  Fd fd_;
  bool with_values_ = false, is_batched_ = false, is_over_ = false, has_cursor_ = false;
  std::size_t value_bytes_ = 0, keys_a_page_ = 0;
  std::vector<std::byte> keys_, values_, cursor_, next_cursor_, first_key_;
  std::uint64_t seen_ = 0, retries_ = 0;
  std::string stopped_;
};

} // namespace mapscope
