// How full each map was at earlier looks, as long as that tells when it will be full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "flow/bpf_map.h"
#include "judge/time_to_full.h"

namespace mapscope {

class BpfMapHistory {
public:
  static constexpr std::size_t kMapsMax = 10'000;
  static constexpr std::size_t kLooksMax = 64;
  static constexpr std::uint64_t kAgeMaxNs = 3'600'000'000'000;

  // Keeps what was counted, and says when the map will be full. Nothing: that has no meaning for
  // this map, or its entries are not known.
  std::optional<BpfTimeToFull> add(std::uint64_t time_ns, const BpfMapSample &map);
  // Maps that are not in this look, which is of all of them, are gone.
  void forget_others(const BpfMapsLook &look);
  // Maps that there was no room for.
  std::size_t left_out() const { return left_out_; }

private:
  struct Counts {
    std::uint32_t type_number = 0, max_entries = 0; // an id may be given away anew
    std::deque<CountAt> counts;
  };
  std::unordered_map<std::uint32_t, Counts> maps_;
  std::size_t left_out_ = 0, left_out_now_ = 0;
};

} // namespace mapscope
