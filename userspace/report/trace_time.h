// Times of events as people who use strace expect them. Wall time is made here, and only here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapscope {

enum class TimeFormat {
  start, // seconds since the run began
  clock, // HH:MM:SS of the run's time zone, as strace -tt
  epoch, // seconds since 1970, as strace -ttt
  delta, // seconds since the event before, as strace -r
  none,
};

// "start", "clock", "epoch", "delta" or "none".
Result<TimeFormat> parse_time_format(std::string_view name);

struct TraceTimeOptions {
  TimeFormat format = TimeFormat::start;
  // These are of RunStart, so that a recording is told in the times of its run.
  std::uint64_t start_ns = 0;
  std::int64_t wall_offset_ns = 0;
  std::int32_t utc_offset_seconds = 0;
};

// Appends times with microseconds. Keeps what one line leaves for the next: the time of the event
// before, and the text of the newest whole second.
class TraceTime {
public:
  explicit TraceTime(TraceTimeOptions options) : options_(options) {}

  // Columns of every time of this format; longer times (a day of `start`) are left whole.
  std::size_t width() const;

  void append(std::uint64_t time_ns, std::string &out);

private:
  void append_seconds(std::uint64_t time_ns, std::string &out) const;
  void append_clock(std::uint64_t wall_ns, std::string &out);

  TraceTimeOptions options_;
  std::uint64_t previous_ns_ = 0; // 0: no event yet
  std::int64_t clock_second_ = -1;
  std::string clock_text_; // of clock_second_
};

} // namespace mapscope
