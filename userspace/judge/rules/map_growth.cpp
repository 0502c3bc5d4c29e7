// The condition on a map's growth: a rate over a window, or many censuses without once falling.
#include <algorithm>

#include <fmt/format.h>

#include "base/format.h"
#include "judge/rules/map_conditions.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

enum GrowthValue : std::size_t { kEntries, kBytes };

// Less than this in all, over censuses in a row, is no growth to speak of.
constexpr double kGrownShareMin = 0.1;
constexpr std::uint64_t kBackfillSteps = 32;

double number(std::uint64_t value) { return static_cast<double>(value); }

std::uint64_t window_ns_of(const MapGrowthRule &rule) {
  return static_cast<std::uint64_t>(std::max<Seconds::rep>(1, rule.window.count())) * 1'000'000'000;
}

Standing ask_rate(const std::optional<std::uint64_t> &per_minute, GrowthValue value,
                  const MemberMemory &memory, double h) {
  if (!per_minute)
    return Standing::under;
  if (!memory.series)
    return memory.censuses > 1 ? Standing::under : Standing::unknown;
  if (!memory.series->is_full())
    return Standing::unknown;
  // One doubling of the buckets is a step in bytes; what grows gains entries.
  if (!memory.series->rises_still(kEntries))
    return Standing::under;
  return at_least(memory.series->slope_per_minute(value), number(*per_minute), h);
}

Standing ask_row(const MapGrowthRule &rule, const MemberMemory &memory) {
  if (!rule.censuses_in_a_row)
    return Standing::under;
  const std::uint32_t enough = std::max(*rule.censuses_in_a_row, 1U);
  if (memory.rises >= enough && memory.last >= (1 + kGrownShareMin) * memory.at_last_fall)
    return Standing::over;
  return memory.censuses <= enough ? Standing::unknown : Standing::under;
}

} // namespace

void remember_growth(const MapGrowthRule &rule, MemberMemory &memory, std::uint64_t time_ns,
                     std::uint64_t len, std::uint64_t bytes) {
  const std::uint64_t window_ns = window_ns_of(rule);
  const auto point = [](std::uint64_t at_ns, std::uint64_t entries, std::uint64_t size) {
    return SeriesPoint{at_ns, {number(entries), number(size), 0, 0}};
  };
  if (!memory.was_seen) {
    memory.flat_since_ns = time_ns;
    memory.at_last_fall = number(len);
  } else if (!memory.series && (memory.len != len || memory.bytes != bytes)) {
    // It begins to move: what was before is as good as sampled.
    memory.series = std::make_unique<Series>(window_ns);
    const std::uint64_t step = std::max<std::uint64_t>(window_ns / kBackfillSteps, 1);
    const std::uint64_t until = std::max(memory.census_ns, memory.flat_since_ns);
    for (std::uint64_t at = std::max(memory.flat_since_ns, until - std::min(until, window_ns));
         at < until; at += std::min(step, until - at))
      memory.series->add(point(at, memory.len, memory.bytes));
    memory.series->add(point(until, memory.len, memory.bytes));
  }
  if (memory.series) {
    memory.series->add(point(time_ns, len, bytes));
    if (memory.series->is_full() && memory.series->is_flat(kEntries) &&
        memory.series->is_flat(kBytes)) {
      memory.flat_since_ns = memory.series->first().time_ns;
      memory.series.reset();
    }
  }
  memory.census_ns = time_ns;
  memory.censuses += memory.censuses < UINT32_MAX ? 1 : 0;
  if (!memory.was_seen)
    return;
  const std::uint32_t enough = std::max(rule.censuses_in_a_row.value_or(1), 1U);
  if (len > memory.len) {
    ++memory.rises;
    memory.flats = 0;
  } else if (len == memory.len) {
    ++memory.flats;
  }
  // Neither a fall nor standing still for half as long is growth in a row.
  if (len < memory.len || memory.flats >= std::max(2U, enough / 2)) {
    memory.rises = memory.flats = 0;
    memory.at_last_fall = number(len);
  }
  memory.last = number(len);
}

MapAnswer ask(const MapGrowthRule &rule, const MapQuestion &question) {
  const SampledMap &map = question.map;
  const double h = question.rule.hysteresis;
  MapAnswer answer{Standing::unknown, number(map.bytes)};
  if (question.memory) {
    const MemberMemory &memory = *question.memory;
    answer.standing = either(ask_row(rule, memory),
                             either(ask_rate(rule.bytes_per_minute, kBytes, memory, h),
                                    ask_rate(rule.entries_per_minute, kEntries, memory, h)));
  }
  answer.standing = both(answer.standing, at_least(number(map.bytes), number(rule.min_bytes), h));
  return answer;
}

void tell(const MapGrowthRule &rule, const MapQuestion &question, Telling &telling) {
  const SampledMap &map = question.map;
  const MemberMemory *memory = question.memory;
  if (!memory)
    return;
  telling.cause = "Entries come in faster than others are deleted: a cache without a bound, or "
                  "keys that nobody takes out.";
  telling.fix = "Bound it, by number or by age, or delete what is done; if it is meant to be so "
                "large, make it with its size: make(map[K]V, n).";
  const std::string now =
      fmt::format("now {} with {} entries", format_bytes(map.bytes), format_count(map.len));
  const Series *series = memory->series.get();
  const bool by_rate =
      series && series->is_full() && (rule.bytes_per_minute || rule.entries_per_minute);
  if (by_rate) {
    const double bytes = series->slope_per_minute(kBytes);
    const double entries = series->slope_per_minute(kEntries);
    telling.numbers["bytes_per_minute"] = bytes;
    telling.numbers["entries_per_minute"] = entries;
    telling.numbers["window_seconds"] = number(series->span_ns()) / 1e9;
    telling.numbers["samples"] = number(series->size());
  }
  telling.numbers["censuses_in_a_row"] = memory->rises;
  if (ask_row(rule, *memory) == Standing::over) {
    telling.numbers["threshold"] = *rule.censuses_in_a_row;
    telling.says = fmt::format("grew in {} censuses without once falling, from {} entries; {}",
                               memory->rises, count_text(memory->at_last_fall), now);
  } else if (by_rate) {
    const bool of_bytes = rule.bytes_per_minute.has_value();
    telling.numbers["threshold"] =
        number(of_bytes ? *rule.bytes_per_minute : *rule.entries_per_minute);
    const std::string rate = of_bytes
                                 ? bytes_text(telling.numbers["bytes_per_minute"])
                                 : count_text(telling.numbers["entries_per_minute"]) + " entries";
    telling.says =
        fmt::format("grows by {} a minute ({} in {}); {}", rate,
                    format_counted(series->size(), "sample"), span_text(series->span_ns()), now);
  }
}

std::string why_over(const MapGrowthRule &, const MapQuestion &question) {
  const SampledMap &map = question.map;
  const MemberMemory *memory = question.memory;
  const bool fell = memory && memory->was_seen && map.len < memory->len;
  return fmt::format("the map {}, with {} entries in {}",
                     fell ? "shrank" : "stopped growing so fast", format_count(map.len),
                     format_bytes(map.bytes));
}

} // namespace mapscope
