// The keys of one map, a page at a time: never more than that is held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct KeyReadOptions {
  std::uint64_t keys_max = UINT64_MAX;
  bool with_values = false;
};

struct KeyReadAnswer {
  std::uint64_t keys = 0;
  bool is_complete = false; // all were seen; what changed meanwhile is in or out
  std::string stopped;      // why not, a phrase: "the map is gone", "that was enough"
};

// `take` gets each key (and value, empty unless wanted) and says whether to go on. Errors:
// unsupported (its type has no keys to read), not_found, denied, system.
Result<KeyReadAnswer> read_keys(const BpfMapFacts &map, const KeyReadOptions &options,
                                const std::function<bool(std::span<const std::byte> key,
                                                         std::span<const std::byte> value)> &take);

// Keys (or values) as text: by the map's BTF as C initialisers, `{.port = 80, .address = 0x7f...}`,
// else as hex with its printable part. One line, at most 256 characters.
class MapDataFormatter {
public:
  static MapDataFormatter of(const BpfMapFacts &map);
  MapDataFormatter(MapDataFormatter &&) noexcept;
  MapDataFormatter &operator=(MapDataFormatter &&) noexcept;
  ~MapDataFormatter();
  std::string key(std::span<const std::byte> bytes) const;
  std::string value(std::span<const std::byte> bytes) const;

private:
  struct State;
  explicit MapDataFormatter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
