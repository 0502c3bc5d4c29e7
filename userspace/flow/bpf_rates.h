// Rates of programs and of bpf(2), added up.
#pragma once

#include <optional>

#include "flow/bpf_map.h"

namespace mapscope {

// What happens to a map from both sides. `lower` always holds; `likely` and `upper` are absent
// where a side is not known or not bounded.
struct BpfRateSum {
  double lower = 0;
  std::optional<double> likely, upper;
  bool is_exact = false;
};

inline BpfRateSum sum_of(const BpfRate &one, const BpfRate &other) {
  const auto least = [](const BpfRate &rate) { return rate.exact.value_or(rate.lower); };
  const auto likely = [](const BpfRate &rate) { return rate.exact ? rate.exact : rate.estimate; };
  const auto most = [](const BpfRate &rate) {
    return rate.exact ? rate.exact : rate.estimate ? rate.upper : std::nullopt;
  };
  const auto both = [](std::optional<double> left, std::optional<double> right) {
    return left && right ? std::optional{*left + *right} : std::nullopt;
  };
  return {.lower = least(one) + least(other),
          .likely = both(likely(one), likely(other)),
          .upper = both(most(one), most(other)),
          .is_exact = one.exact && other.exact};
}

inline BpfRateSum lookups_of(const BpfMapRates &rates) {
  return sum_of(rates.system_lookups, rates.program_lookups);
}
inline BpfRateSum updates_of(const BpfMapRates &rates) {
  return sum_of(rates.system_updates, rates.program_updates);
}
inline BpfRateSum deletes_of(const BpfMapRates &rates) {
  return sum_of(rates.system_deletes, rates.program_deletes);
}

} // namespace mapscope
