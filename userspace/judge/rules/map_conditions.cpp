// Conditions on the size, the fill and the waste of one map.
#include "judge/rules/map_conditions.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

#include "base/format.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

double number(std::uint64_t value) { return static_cast<double>(value); }

std::string entries_text(const SampledMap &map) {
  return map.len == 0   ? "no entry"
         : map.len == 1 ? "one entry"
                        : format_count(map.len) + " entries";
}

double fill_of(const SampledMap &map) {
  return map.slots == 0 ? 1 : number(map.len) / number(map.slots);
}

// A Go map that grew to its slots was filled to seven eighths (swiss) or 13 sixteenths (classic) of
// half of them before.
constexpr double kFilledBeforeGrowth = 13.0 / 32;

double peak_of(const MapQuestion &question) {
  const SampledMap &map = question.map;
  double peak = question.memory ? number(question.memory->peak_len) : 0;
  if (map.cause == MapCause::emptied)
    peak = std::max(peak, kFilledBeforeGrowth * number(map.slots));
  return std::max(peak, number(map.len));
}

std::string or_else(const std::string &text, std::string_view other) {
  return text.empty() ? std::string{other} : text;
}

constexpr std::string_view kRebuildFix =
    "Copy the entries to a new map and drop this one: m2 := make(map[K]V, len(m)); "
    "maps.Copy(m2, m); m = m2.";
constexpr std::string_view kUnboundedCause =
    "Entries come in and are not taken out as fast: a cache without a bound, or keys that nobody "
    "deletes.";
constexpr std::string_view kBoundFix =
    "Bound it, by number or by age, and delete what is no longer used; a map that only ever grows "
    "is a leak.";

} // namespace

MapAnswer ask(const MapWasteRule &rule, const MapQuestion &question) {
  const SampledMap &map = question.map;
  if (!map.reclaimable_bytes)
    return {};
  const double reclaimable = number(*map.reclaimable_bytes), h = question.rule.hysteresis;
  return {both(at_least(reclaimable, number(rule.min_reclaimable_bytes), h),
               at_least(reclaimable, rule.min_share * number(map.bytes), h)),
          reclaimable};
}

void tell(const MapWasteRule &rule, const MapQuestion &question, Telling &telling) {
  const SampledMap &map = question.map;
  const double reclaimable = number(map.reclaimable_bytes.value_or(0));
  telling.numbers["threshold"] = number(rule.min_reclaimable_bytes);
  telling.numbers["share"] = map.bytes == 0 ? 0 : reclaimable / number(map.bytes);
  telling.says = fmt::format("wastes {} of {}: {} in {} slots", bytes_text(reclaimable),
                             format_bytes(map.bytes), entries_text(map), format_count(map.slots));
  telling.cause = or_else(map.explanation, "The same entries in a new map would need less.");
  telling.fix = or_else(map.advice, kRebuildFix);
}

std::string why_over(const MapWasteRule &, const MapQuestion &question) {
  return fmt::format("the map wastes no more than {} of {} now",
                     format_bytes(question.map.reclaimable_bytes.value_or(0)),
                     format_bytes(question.map.bytes));
}

MapAnswer ask(const MapFillRule &rule, const MapQuestion &question) {
  const SampledMap &map = question.map;
  const double h = question.rule.hysteresis;
  return {both(below(fill_of(map), rule.max_fill, h),
               at_least(number(map.bytes), number(rule.min_bytes), h)),
          number(map.bytes)};
}

void tell(const MapFillRule &rule, const MapQuestion &question, Telling &telling) {
  const SampledMap &map = question.map;
  telling.numbers["threshold"] = rule.max_fill;
  telling.numbers["fill"] = fill_of(map);
  telling.says = fmt::format("is {} full: {} in {} slots of {}", percent_text(fill_of(map)),
                             entries_text(map), format_count(map.slots), format_bytes(map.bytes));
  telling.cause = or_else(map.explanation, "A Go map never shrinks: it held more before, or was "
                                           "made for more.");
  telling.fix = or_else(map.advice, kRebuildFix);
}

std::string why_over(const MapFillRule &rule, const MapQuestion &question) {
  const SampledMap &map = question.map;
  return map.bytes < rule.min_bytes
             ? fmt::format("the map shrank to {}", format_bytes(map.bytes))
             : fmt::format("the map is {} full again", percent_text(fill_of(map)));
}

MapAnswer ask(const MapEntriesRule &rule, const MapQuestion &question) {
  const double entries = number(question.map.len);
  return {above(entries, number(rule.max_entries), question.rule.hysteresis), entries};
}

void tell(const MapEntriesRule &rule, const MapQuestion &question, Telling &telling) {
  const SampledMap &map = question.map;
  telling.numbers["threshold"] = number(rule.max_entries);
  telling.says = fmt::format("holds {}, allowed are {}; {}", entries_text(map),
                             format_count(rule.max_entries), format_bytes(map.bytes));
  telling.cause = kUnboundedCause;
  telling.fix = kBoundFix;
}

std::string why_over(const MapEntriesRule &, const MapQuestion &question) {
  return fmt::format("the map went down to {}", entries_text(question.map));
}

MapAnswer ask(const MapBytesRule &rule, const MapQuestion &question) {
  const double bytes = number(question.map.bytes);
  return {above(bytes, number(rule.max_bytes), question.rule.hysteresis), bytes};
}

void tell(const MapBytesRule &rule, const MapQuestion &question, Telling &telling) {
  const SampledMap &map = question.map;
  telling.numbers["threshold"] = number(rule.max_bytes);
  telling.says = fmt::format("takes {}, allowed are {}; {}", format_bytes(map.bytes),
                             format_bytes(rule.max_bytes), entries_text(map));
  telling.cause = or_else(map.explanation, kUnboundedCause);
  telling.fix = or_else(map.advice, kBoundFix);
}

std::string why_over(const MapBytesRule &, const MapQuestion &question) {
  return fmt::format("the map shrank to {}", format_bytes(question.map.bytes));
}

MapAnswer ask(const MapEmptiedRule &rule, const MapQuestion &question) {
  const SampledMap &map = question.map;
  const double h = question.rule.hysteresis, bytes = number(map.bytes);
  // Of one that was never seen with entries, and shows no trace of them, nothing can be told.
  const double peak = peak_of(question);
  const Standing emptied =
      peak == 0 ? Standing::under : at_most(number(map.len), rule.max_share_of_peak * peak, h);
  return {both(emptied, at_least(bytes, number(rule.min_bytes), h)), bytes};
}

void tell(const MapEmptiedRule &rule, const MapQuestion &question, Telling &telling) {
  const SampledMap &map = question.map;
  const double peak = peak_of(question);
  const bool was_seen = question.memory && number(question.memory->peak_len) >= peak;
  telling.numbers["threshold"] = rule.max_share_of_peak;
  telling.numbers["peak_entries"] = peak;
  telling.says = fmt::format("keeps {} for {} of {}{}", format_bytes(map.bytes), entries_text(map),
                             was_seen ? "" : "at least ", count_text(peak));
  telling.cause = or_else(map.explanation, "It was emptied, and a Go map never shrinks.");
  telling.fix = or_else(map.advice, kRebuildFix);
}

std::string why_over(const MapEmptiedRule &rule, const MapQuestion &question) {
  const SampledMap &map = question.map;
  return map.bytes < rule.min_bytes ? fmt::format("the map shrank to {}", format_bytes(map.bytes))
                                    : fmt::format("the map holds {} again", entries_text(map));
}

std::optional<double> remembered_from_bytes(const Rule &rule) {
  const double h = rule.hysteresis;
  if (const auto *growth = std::get_if<MapGrowthRule>(&rule.condition))
    return number(growth->min_bytes) * (1 - h);
  if (const auto *emptied = std::get_if<MapEmptiedRule>(&rule.condition))
    return number(emptied->min_bytes) * (1 - h);
  return std::nullopt;
}

} // namespace mapscope
