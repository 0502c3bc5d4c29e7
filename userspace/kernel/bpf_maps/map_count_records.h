// What the programs that go through all maps of the kernel say of each, and what that means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "bpf/contract/bpf_map_counts.h"
#include "flow/bpf_map.h"

namespace mapscope {

using MapCountTable = std::unordered_map<std::uint32_t, bpf_map_count>; // by id

class MapCountPrograms {
public:
  // Loads those that the kernel takes, none being an answer too.
  static MapCountPrograms load();
  MapCountPrograms(MapCountPrograms &&) noexcept;
  MapCountPrograms &operator=(MapCountPrograms &&) noexcept;
  ~MapCountPrograms();

  MapCountTable run() const;
  const std::string &problem() const; // of those that the kernel refused, a sentence; empty: none

private:
  struct State;
  explicit MapCountPrograms(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Puts whole records of `bytes` into the table, where one map's records of several programs become
// one. Returns how many bytes that were.
std::size_t take_count_records(std::span<const std::byte> bytes, MapCountTable &table);

// Absent: keys have to be gone through, or it is not to be known.
std::optional<BpfMapFill> fill_of_record(const BpfMapFacts &map, const bpf_map_count &record);

// From the part of a hash map's count that has reached its sum already, with how far that may be
// off: for maps where going through all keys is too much.
std::optional<BpfMapFill> rough_fill_of_record(const BpfMapFacts &map, const bpf_map_count &record,
                                               std::uint32_t cpu_count);

// With `fill` where the map has a limit.
BpfMapFill fill_with_entries(const BpfMapFacts &map, std::uint64_t entries, BpfMethod method,
                             std::string note);

} // namespace mapscope
