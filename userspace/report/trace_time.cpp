// Seconds with six decimals, in five ways.
#include "report/trace_time.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "report/append.h"

namespace mapscope {

namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

constexpr auto kNames =
    std::to_array<std::pair<std::string_view, TimeFormat>>({{"start", TimeFormat::start},
                                                            {"clock", TimeFormat::clock},
                                                            {"epoch", TimeFormat::epoch},
                                                            {"delta", TimeFormat::delta},
                                                            {"none", TimeFormat::none}});

} // namespace

Result<TimeFormat> parse_time_format(std::string_view name) {
  for (const auto &[known, format] : kNames)
    if (known == name)
      return format;
  return fail(Errc::usage, "\"{}\" is no time format; there are start, clock, epoch, delta, none",
              name);
}

std::size_t TraceTime::width() const {
  switch (options_.format) {
  case TimeFormat::start:
  case TimeFormat::delta:
    return std::string_view{"12345.123456"}.size();
  case TimeFormat::clock:
    return std::string_view{"HH:MM:SS.123456"}.size();
  case TimeFormat::epoch:
    return std::string_view{"1234567890.123456"}.size();
  case TimeFormat::none:
    break;
  }
  return 0;
}

void TraceTime::append(std::uint64_t time_ns, std::string &out) {
  auto wall_ns = time_ns + static_cast<std::uint64_t>(options_.wall_offset_ns);
  switch (options_.format) {
  case TimeFormat::start:
    // What began before the run did (a process that exec'd while probes were placed) is at 0.
    return append_seconds(time_ns - std::min(time_ns, options_.start_ns), out);
  case TimeFormat::delta: {
    std::uint64_t before = std::exchange(previous_ns_, time_ns);
    return append_seconds(before == 0 ? 0 : time_ns - std::min(time_ns, before), out);
  }
  case TimeFormat::epoch:
    return append_seconds(wall_ns, out);
  case TimeFormat::clock:
    return append_clock(wall_ns, out);
  case TimeFormat::none:
    return;
  }
}

void TraceTime::append_seconds(std::uint64_t time_ns, std::string &out) const {
  fmt::format_int seconds{time_ns / kSecondNs};
  append_right({seconds.data(), seconds.size()}, width() - std::string_view{".123456"}.size(), out);
  out += '.';
  append_decimals(time_ns % kSecondNs / 1000, 6, out);
}

void TraceTime::append_clock(std::uint64_t wall_ns, std::string &out) {
  auto second = static_cast<std::int64_t>(wall_ns / kSecondNs);
  if (second != clock_second_) {
    clock_second_ = second;
    std::uint64_t of_day =
        static_cast<std::uint64_t>(second + options_.utc_offset_seconds) % 86'400;
    clock_text_.clear();
    append_decimals(of_day / 3600, 2, clock_text_);
    clock_text_ += ':';
    append_decimals(of_day / 60 % 60, 2, clock_text_);
    clock_text_ += ':';
    append_decimals(of_day % 60, 2, clock_text_);
  }
  out += clock_text_;
  out += '.';
  append_decimals(wall_ns % kSecondNs / 1000, 6, out);
}

} // namespace mapscope
