// Thinning, and Theil and Sen's slope.
#include "judge/rules/series.h"

#include <algorithm>
#include <ranges>

namespace mapscope {

namespace {

constexpr std::size_t kPointsMax = 64;
constexpr std::size_t kPointsMin = 3;
constexpr std::uint64_t kSteps = 48; // of a window
// A big heap is looked at less often than some windows are long: three points are waited for.
constexpr std::uint64_t kWindowsMax = 3;

} // namespace

void Series::add(const SeriesPoint &point) {
  if (!points_.empty() && point.time_ns <= points_.back().time_ns) {
    points_.back().values = point.values;
    return;
  }
  const std::size_t count = points_.size();
  if (count >= 2 && points_[count - 1].time_ns - points_[count - 2].time_ns < window_ns_ / kSteps)
    points_.back() = point;
  else
    points_.push_back(point);
  const std::uint64_t now = point.time_ns;
  const auto age = [&](std::size_t i) { return now - points_[i].time_ns; };
  std::size_t old = 0;
  // One that lies before the window says what was at its beginning.
  while (old + 1 < points_.size() &&
         ((points_.size() - old > kPointsMin && age(old + 1) >= window_ns_) ||
          age(old) > kWindowsMax * window_ns_ || points_.size() - old > kPointsMax))
    ++old;
  points_.erase(points_.begin(), points_.begin() + static_cast<std::ptrdiff_t>(old));
}

bool Series::is_full() const {
  return points_.size() >= kPointsMin && span_ns() >= window_ns_ / 10 * 9;
}

std::uint64_t Series::span_ns() const {
  return points_.empty() ? 0 : points_.back().time_ns - points_.front().time_ns;
}

bool Series::is_flat(std::size_t value) const {
  return std::ranges::all_of(points_, [&](const SeriesPoint &point) {
    return point.values[value] == points_.front().values[value];
  });
}

double Series::slope_per_minute(std::size_t value) const {
  std::vector<double> slopes;
  slopes.reserve(points_.size() * points_.size() / 2);
  for (std::size_t i = 0; i < points_.size(); ++i)
    for (std::size_t j = i + 1; j < points_.size(); ++j)
      slopes.push_back((points_[j].values[value] - points_[i].values[value]) /
                       static_cast<double>(points_[j].time_ns - points_[i].time_ns));
  if (slopes.empty())
    return 0;
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::ranges::nth_element(slopes, middle);
  double median = *middle;
  if (slopes.size() % 2 == 0)
    median = (median + *std::max_element(slopes.begin(), middle)) / 2;
  return median * 60e9;
}

bool Series::rises_still(std::size_t value) const {
  if (points_.size() < 2)
    return false;
  const SeriesPoint &now = points_.back();
  for (const SeriesPoint &point : std::views::reverse(points_) | std::views::drop(1))
    if (now.time_ns - point.time_ns >= window_ns_ / 3)
      return now.values[value] > point.values[value];
  return now.values[value] > points_.front().values[value];
}

} // namespace mapscope
