// Where a value stands to its threshold. Between the threshold and what hysteresis leaves of it,
// what fires stays, and what does not fire yet does not begin to.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mapscope {

enum class Standing : std::uint8_t { unknown, under, between, over };

inline Standing standing_of(bool is_over, bool is_under) {
  return is_over ? Standing::over : is_under ? Standing::under : Standing::between;
}

// A floor that belongs to a condition: reached, or not even with hysteresis.
inline Standing at_least(double value, double floor, double hysteresis) {
  return standing_of(value >= floor, value < floor * (1 - hysteresis));
}

// A limit: passed, or below it by the hysteresis.
inline Standing above(double value, double limit, double hysteresis) {
  return standing_of(value > limit, value <= limit * (1 - hysteresis));
}

// The same for what is the worse the smaller it is.
inline Standing below(double value, double limit, double hysteresis) {
  return standing_of(value < limit, value >= limit * (1 + hysteresis));
}
inline Standing at_most(double value, double limit, double hysteresis) {
  return standing_of(value <= limit, value > limit * (1 + hysteresis));
}

// Of conditions that must all hold. What certainly does not hold needs no other to be known.
inline Standing both(Standing a, Standing b) {
  if (a == Standing::under || b == Standing::under)
    return Standing::under;
  return std::min(a, b);
}
// Of conditions of which one is enough. What is not known may hold.
inline Standing either(Standing a, Standing b) {
  const Standing most = std::max(a, b);
  return most == Standing::under ? std::min(a, b) : most;
}

} // namespace mapscope
