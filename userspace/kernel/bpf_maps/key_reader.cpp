// Pages of keys, and their text; see key_reader.h.
#include "kernel/bpf_maps/key_reader.h"

#include <utility>

namespace mapscope {

struct MapDataFormatter::State {};

MapDataFormatter::MapDataFormatter(std::unique_ptr<State> state) : state_(std::move(state)) {}
MapDataFormatter::MapDataFormatter(MapDataFormatter &&) noexcept = default;
MapDataFormatter &MapDataFormatter::operator=(MapDataFormatter &&) noexcept = default;
MapDataFormatter::~MapDataFormatter() = default;

MapDataFormatter MapDataFormatter::of(const BpfMapFacts &) {
  return MapDataFormatter{std::make_unique<State>()};
}

std::string MapDataFormatter::key(std::span<const std::byte>) const { return {}; }
std::string MapDataFormatter::value(std::span<const std::byte>) const { return {}; }

Result<KeyReadAnswer>
read_keys(const BpfMapFacts &, const KeyReadOptions &,
          const std::function<bool(std::span<const std::byte>, std::span<const std::byte>)> &) {
  return KeyReadAnswer{};
}

} // namespace mapscope
