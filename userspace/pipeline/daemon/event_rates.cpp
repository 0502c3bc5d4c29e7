// Rates of what was seen for moments; see event_rates.h.
#include "pipeline/daemon/event_rates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace mapscope {
namespace {

// How well the cost of one hit is known: it depends on caches, and on how deep the stack is.
constexpr double kOverheadUncertainty = 0.3;
// Of a process that does hardly anything but hitting probes, so much is left as its own.
constexpr double kOwnShareMin = 0.1;
constexpr double kDeviations = 2;

// What the deviation of a few values has to be multiplied by for 95 %, as two are for many:
// Student's t, by values less one.
double deviations_for(std::size_t values) {
  constexpr std::array kStudent{12.7, 4.3, 3.2, 2.8, 2.6, 2.5, 2.4, 2.3, 2.3};
  if (values < 2)
    return kStudent.front();
  return values - 2 < kStudent.size() ? kStudent[values - 2] : kDeviations;
}

double own_cpu_of(const WatchedMoment &moment) {
  const auto cpu = static_cast<double>(moment.cpu_ns);
  return std::max(cpu - static_cast<double>(moment.overhead_ns), cpu * kOwnShareMin);
}

} // namespace

Rate estimate_rate(std::span<const WatchedMoment> moments, std::span<const std::uint64_t> hits,
                   map_operation operation, std::uint64_t cpu_ns, std::uint64_t elapsed_ns) {
  double all_hits = 0, own_ns = 0, overhead_ns = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < moments.size() && i < hits.size(); ++i) {
    if (!moments[i].operations.test(operation) || moments[i].cpu_ns == 0)
      continue;
    ++count;
    all_hits += static_cast<double>(hits[i]);
    own_ns += own_cpu_of(moments[i]);
    overhead_ns += static_cast<double>(moments[i].cpu_ns) - own_cpu_of(moments[i]);
  }
  if (count == 0 || own_ns == 0 || all_hits == 0 || elapsed_ns == 0)
    return {};
  const double per_cpu_ns = all_hits / own_ns;
  double squares = 0;
  for (std::size_t i = 0; i < moments.size() && i < hits.size(); ++i)
    if (moments[i].operations.test(operation) && moments[i].cpu_ns > 0) {
      const double off = static_cast<double>(hits[i]) - per_cpu_ns * own_cpu_of(moments[i]);
      squares += off * off;
    }
  const auto n = static_cast<double>(count);
  const double between =
      count < 2 ? 0 : std::sqrt(squares * n / (n - 1)) / all_hits * deviations_for(count);
  const double counting = kDeviations / std::sqrt(all_hits);
  // One moment does not tell how much moments differ.
  const double sampling = std::max({counting, between, count < 2 ? 1.0 : 0.0});
  Rate rate;
  rate.per_second =
      per_cpu_ns * static_cast<double>(cpu_ns) / static_cast<double>(elapsed_ns) * 1e9;
  rate.relative_error = sampling + kOverheadUncertainty * overhead_ns / own_ns;
  return rate;
}

std::uint64_t RateAccount::Site::total() const {
  return std::accumulate(hits.begin(), hits.end(), std::uint64_t{0});
}

std::size_t RateAccount::KeyHash::operator()(const map_site_key &key) const {
  std::uint64_t hash = key.map_type ^ key.operation;
  for (std::uint64_t caller : key.callers)
    hash = mix_bits(hash ^ caller);
  return hash;
}

bool RateAccount::SameKey::operator()(const map_site_key &left, const map_site_key &right) const {
  return left.map_type == right.map_type && left.operation == right.operation &&
         std::ranges::equal(left.callers, right.callers);
}

void RateAccount::add(const WatchedMoment &moment, std::span<const CountedSite> sites) {
  moments_.push_back(moment);
  for (const auto &[key, value] : sites) {
    auto known = sites_.find(key);
    if (known == sites_.end()) {
      if (sites_.size() >= sites_max_) {
        lost_ += value.hits;
        continue;
      }
      known = sites_.emplace(key, Site{.key = key, .slots_max = 0, .hits = {}}).first;
    }
    Site &site = known->second;
    site.hits.resize(moments_.size());
    site.hits.back() += value.hits;
    site.slots_max = std::max<std::uint64_t>(site.slots_max, value.slots_max);
    hits_ += value.hits;
  }
}

void RateAccount::clear() {
  moments_ = {};
  sites_ = {};
  hits_ = lost_ = 0;
}

std::vector<RateAccount::Site> RateAccount::sites() const {
  std::vector<Site> sites;
  sites.reserve(sites_.size());
  for (const auto &[key, site] : sites_) {
    sites.push_back(site);
    sites.back().hits.resize(moments_.size());
  }
  std::ranges::sort(sites, std::ranges::greater{}, &Site::total);
  return sites;
}

std::uint64_t RateAccount::watched_ns() const {
  std::uint64_t sum = 0;
  for (const WatchedMoment &moment : moments_)
    sum += moment.watched_ns;
  return sum;
}

} // namespace mapscope
