// Some numbers over time, as many as a rule's window needs and no more; and how fast they rise, so
// that one odd sample does not matter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mapscope {

struct SeriesPoint {
  std::uint64_t time_ns = 0;
  std::array<double, 4> values{};
};

class Series {
public:
  explicit Series(std::uint64_t window_ns) : window_ns_(window_ns) {}

  // Times that do not advance replace the last point. Points that lie closer than a 48th of the
  // window are thinned out; the newest is always kept.
  void add(const SeriesPoint &point);

  // Three points at least, over nine tenths of the window at least: nothing is said of less.
  bool is_full() const;
  std::uint64_t span_ns() const;
  std::size_t size() const { return points_.size(); }
  const SeriesPoint &first() const { return points_.front(); }
  const SeriesPoint &last() const { return points_.back(); }
  bool is_flat(std::size_t value) const; // the same in all points

  // The median of the slopes between all pairs of points (Theil and Sen): up to 29 % of the points
  // may be off and it stays near.
  double slope_per_minute(std::size_t value) const;
  // Whether it is above what it was a third of the window ago.
  bool rises_still(std::size_t value) const;

private:
  std::uint64_t window_ns_;
  std::vector<SeriesPoint> points_; // times ascend
};

} // namespace mapscope
