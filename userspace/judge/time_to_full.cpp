// A robust line; see time_to_full.h. Slope: Theil (1950) and Sen (1968), with Sen's interval, which
// asks only for the ranks of the slopes between all pairs. Ties are not taken off the variance, so
// the interval is rather too wide than too narrow.
#include "judge/time_to_full.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"

namespace mapscope {
namespace {

constexpr std::size_t kCountsMax = 128; // pairs grow with its square
// The fewest for which 95 % of an interval's ranks exist at all: with four, the interval would have
// to be wider than the widest slope.
constexpr std::size_t kCountsMin = 5;
constexpr double kQuantile = 1.96;             // of the normal distribution, for 95 %
constexpr double kSecondsMax = 365.0 * 86'400; // nothing is foretold for longer

double seconds_between(const CountAt &before, const CountAt &after) {
  return static_cast<double>(after.time_ns - before.time_ns) / 1e9;
}

// Only what came after the map was last cleared: there it fell to less than half, and did not come
// back with the next look, as a single wrong count does.
std::span<const CountAt> since_cleared(std::span<const CountAt> counts) {
  for (std::size_t i = counts.size(); i-- > 1;) {
    const double before = counts[i - 1].entries, after = counts[i].entries;
    const bool fell = after * 2 < before && before - after >= 2;
    const bool came_back = i + 1 < counts.size() && counts[i + 1].entries * 2 > before + after;
    if (fell && !came_back)
      return counts.subspan(i);
  }
  return counts;
}

struct LineSlope {
  double slope = 0, lower = 0, upper = 0; // entries a second
};

LineSlope slope_of(std::span<const CountAt> counts) {
  std::vector<double> slopes;
  slopes.reserve(counts.size() * (counts.size() - 1) / 2);
  for (std::size_t i = 0; i < counts.size(); ++i)
    for (std::size_t j = i + 1; j < counts.size(); ++j)
      if (const double seconds = seconds_between(counts[i], counts[j]); seconds > 0)
        slopes.push_back((counts[j].entries - counts[i].entries) / seconds);
  std::ranges::sort(slopes);
  const std::size_t pairs = slopes.size(), middle = pairs / 2;
  const double median = pairs % 2 == 1 ? slopes[middle] : (slopes[middle - 1] + slopes[middle]) / 2;
  const auto n = static_cast<double>(counts.size());
  const double width = kQuantile * std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  const double rank = std::floor((static_cast<double>(pairs) - width) / 2); // from 1 on
  const auto outside = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return {.slope = median, .lower = slopes[outside], .upper = slopes[pairs - 1 - outside]};
}

BpfTimeToFull without_figure(std::string note, double slope = 0) {
  BpfTimeToFull answer;
  answer.entries_per_second = slope;
  answer.note = std::move(note);
  return answer;
}

} // namespace

BpfTimeToFull time_to_full(std::span<const CountAt> counts, std::uint64_t max_entries) {
  if (max_entries == 0)
    return without_figure("it has no limit that is known");
  if (counts.size() > kCountsMax)
    counts = counts.last(kCountsMax);
  const std::span<const CountAt> recent = since_cleared(counts);
  const bool was_cleared = recent.size() != counts.size();
  if (recent.size() < kCountsMin)
    return without_figure(was_cleared ? "too few looks since it was cleared" : "too few looks yet");
  // Looks of one moment have no slope.
  for (std::size_t i = 1; i < recent.size(); ++i)
    if (recent[i].time_ns <= recent[i - 1].time_ns)
      return without_figure("two looks have one time");
  const LineSlope line = slope_of(recent);
  const double room = static_cast<double>(max_entries) - recent.back().entries;
  if (line.slope <= 0 && room > 0)
    return without_figure(line.slope < 0 ? "it shrinks" : "it does not grow", line.slope);

  BpfTimeToFull answer;
  answer.entries_per_second = line.slope;
  if (room <= 0) {
    answer.seconds = answer.lower = answer.upper = 0;
    answer.note = "it is full";
    return answer;
  }
  if (room / line.slope > kSecondsMax)
    return without_figure("not within a year, as it grows now", line.slope);
  answer.seconds = room / line.slope;
  answer.lower = room / line.upper;
  if (line.lower > 0 && room / line.lower <= kSecondsMax)
    answer.upper = room / line.lower;
  answer.note = fmt::format(
      "by {} {}{}", format_counted(recent.size(), "look"),
      was_cleared ? "since it was cleared"
                  : "in " + format_duration(recent.back().time_ns - recent.front().time_ns),
      answer.upper ? "" : "; perhaps never: it may not grow at all");
  return answer;
}

} // namespace mapscope
