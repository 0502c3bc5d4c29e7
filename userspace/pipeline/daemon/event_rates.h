// From what moments of watching saw to rates, with what they may be wrong by: pure arithmetic.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/lru_table.h"
#include "kernel/site_counter.h"

namespace mapscope {

using OperationSet = std::bitset<MAP_OPERATION_COUNT>;

// One moment in which probes were there and counted.
struct WatchedMoment {
  std::uint64_t watched_ns = 0;
  std::uint64_t cpu_ns = 0;      // that the process used meanwhile, what probes took included
  std::uint64_t overhead_ns = 0; // estimate of what they took of it
  OperationSet operations;       // that were probed
};

struct Rate {
  double per_second = 0;     // on average over the whole time
  double relative_error = 0; // two standard deviations
};

// A process does what it does while it runs: so what was seen is taken for each second of its CPU
// time, and multiplied by what it used in all, `cpu_ns` in `elapsed_ns`. The error has two parts:
// what counting and the differences between moments tell, and how well the cost of probes is known
// by which the process was slower while it was watched. `hits` belongs to `moments`, one to one;
// moments that did not probe `operation` are left out.
Rate estimate_rate(std::span<const WatchedMoment> moments, std::span<const std::uint64_t> hits,
                   map_operation operation, std::uint64_t cpu_ns, std::uint64_t elapsed_ns);

// What moments of one process saw, until somebody takes it.
class RateAccount {
public:
  explicit RateAccount(std::size_t sites_max = 2048) : sites_max_(sites_max) {}

  struct Site {
    map_site_key key{};
    std::uint64_t slots_max = 0;
    std::vector<std::uint64_t> hits; // by moment
    std::uint64_t total() const;
  };

  void add(const WatchedMoment &moment, std::span<const CountedSite> sites);
  void clear();

  const std::vector<WatchedMoment> &moments() const { return moments_; }
  // Each with as many hits as there are moments; the busiest first.
  std::vector<Site> sites() const;
  std::uint64_t watched_ns() const;
  std::uint64_t hits() const { return hits_; }
  std::uint64_t lost() const { return lost_; } // beyond the number of sites that is kept

private:
  struct KeyHash {
    std::size_t operator()(const map_site_key &key) const;
  };
  struct SameKey {
    bool operator()(const map_site_key &left, const map_site_key &right) const;
  };

  std::size_t sites_max_;
  std::vector<WatchedMoment> moments_;
  std::unordered_map<map_site_key, Site, KeyHash, SameKey> sites_;
  std::uint64_t hits_ = 0, lost_ = 0;
};

} // namespace mapscope
