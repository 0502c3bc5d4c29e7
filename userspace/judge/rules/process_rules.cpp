// Conditions on numbers of the heap and of limits.
#include "judge/rules/process_rules.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/format.h"
#include "base/overloaded.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

double number(std::uint64_t value) { return static_cast<double>(value); }

std::uint64_t window_ns(Seconds seconds) {
  return static_cast<std::uint64_t>(std::max<Seconds::rep>(1, seconds.count())) * 1'000'000'000;
}

struct HeapQuestion {
  const CensusSample &sample;
  const std::string &largest_maps;
  double hysteresis;
  std::uint64_t now_ns;
  MemberMemory &memory;
};

struct HeapAnswer {
  Standing standing = Standing::unknown;
  Telling telling;
  std::string why_over;
};

std::string largest_cause(const HeapQuestion &question) {
  return question.largest_maps.empty()
             ? "No single map is large: many small ones may be, or something else."
             : fmt::format("The largest maps: {}.", question.largest_maps);
}

void add_reclaimable(const CensusSample &sample, Telling &telling) {
  if (const auto known = known_reclaimable_bytes(sample))
    telling.numbers["map_reclaimable_bytes"] = number(*known);
}

std::string rebuilt(const CensusSample &sample) {
  return sample.map_reclaimable_bytes == 0
             ? std::string{}
             : fmt::format(" Rebuilding all its maps would free {}.",
                           format_bytes(sample.map_reclaimable_bytes));
}

HeapAnswer ask(const MapShareRule &rule, const HeapQuestion &question) {
  const CensusSample &sample = question.sample;
  const auto heap = sample.heap.live_bytes ? sample.heap.live_bytes : sample.heap.allocated_bytes;
  if (!heap)
    return {};
  // What maps gained since the last collection is not in the live heap yet.
  const double maps = number(sample.map_bytes), live = std::max({number(*heap), maps, 1.0});
  const double share = maps / live;
  HeapAnswer answer;
  answer.standing = both(above(share, rule.max_share, question.hysteresis),
                         at_least(maps, number(rule.min_bytes), question.hysteresis));
  answer.telling.value = maps;
  answer.telling.numbers = {{"map_bytes", maps},
                            {"live_bytes", live},
                            {"share", share},
                            {"map_count", number(sample.map_count)},
                            {"threshold", rule.max_share}};
  add_reclaimable(sample, answer.telling);
  answer.telling.says =
      fmt::format("maps hold {} of the live heap, {} of {} in {}", percent_text(share),
                  bytes_text(maps), bytes_text(live), format_counted(sample.map_count, "map"));
  answer.telling.cause = largest_cause(question);
  answer.telling.fix = fmt::format("See what owns them: mapscope maps -p {}.{}", sample.process.pid,
                                   rebuilt(sample));
  answer.why_over =
      fmt::format("maps hold {} of the live heap now, {}", percent_text(share), bytes_text(maps));
  return answer;
}

enum HeapValue : std::size_t { kLive, kMaps, kAllocated, kAllocatedByMaps };

// Which share of the growth maps have, and by what.
std::optional<std::pair<double, std::string_view>> map_share_of_growth(const Series &series,
                                                                       bool is_profiled) {
  const auto gained = [&](HeapValue value) {
    return series.last().values[value] - series.first().values[value];
  };
  if (is_profiled && series.first().values[kAllocated] > 0 && gained(kAllocated) > 0 &&
      gained(kAllocatedByMaps) >= 0)
    return {{std::min(1.0, gained(kAllocatedByMaps) / gained(kAllocated)),
             "of what was allocated meanwhile was for maps"}};
  if (gained(kLive) > 0)
    return {{std::clamp(gained(kMaps) / gained(kLive), 0.0, 1.0), "of the growth is in maps"}};
  return std::nullopt;
}

HeapAnswer ask(const HeapGrowthRule &rule, const HeapQuestion &question) {
  const CensusSample &sample = question.sample;
  MemberMemory &memory = question.memory;
  if (!sample.heap.live_bytes)
    return {};
  if (!memory.series)
    memory.series = std::make_unique<Series>(window_ns(rule.window));
  Series &series = *memory.series;
  const bool is_profiled = sample.allocated_bytes && sample.allocated_by_maps_bytes;
  // What is live is known when a collection ends, every two minutes at least; in between it stands
  // still while the heap grows.
  const double cycles = number(sample.heap.gc_cycles.value_or(0));
  if (series.size() == 0 || !sample.heap.gc_cycles || cycles != memory.last)
    series.add({question.now_ns,
                {number(*sample.heap.live_bytes), number(sample.map_bytes),
                 number(sample.allocated_bytes.value_or(0)),
                 number(sample.allocated_by_maps_bytes.value_or(0))}});
  memory.last = cycles;
  if (!series.is_full())
    return {};
  const double slope = series.slope_per_minute(kLive);
  const auto share = map_share_of_growth(series, is_profiled);
  HeapAnswer answer;
  const Standing rate = series.rises_still(kLive)
                            ? at_least(slope, number(rule.bytes_per_minute), question.hysteresis)
                            : Standing::under;
  answer.standing = both(rate, share ? above(share->first, rule.min_map_share, question.hysteresis)
                                     : Standing::under);
  answer.telling.value = number(*sample.heap.live_bytes);
  answer.telling.numbers = {{"live_bytes", number(*sample.heap.live_bytes)},
                            {"map_bytes", number(sample.map_bytes)},
                            {"bytes_per_minute", slope},
                            {"map_share", share ? share->first : 0},
                            {"window_seconds", number(series.span_ns()) / 1e9},
                            {"samples", number(series.size())},
                            {"threshold", number(rule.bytes_per_minute)}};
  answer.telling.says =
      fmt::format("the live heap grows by {} a minute ({} in {}), now {}; {} {}", bytes_text(slope),
                  format_counted(series.size(), "sample"), span_text(series.span_ns()),
                  format_bytes(*sample.heap.live_bytes), percent_text(share ? share->first : 0),
                  share ? share->second : "of it is in maps");
  answer.telling.cause = largest_cause(question);
  answer.telling.fix =
      fmt::format("See which of them grow: mapscope maps -p {}, twice, or mapscope trace -p {}.",
                  sample.process.pid, sample.process.pid);
  answer.why_over = series.rises_still(kLive)
                        ? fmt::format("the live heap grows by {} a minute now, {} of it for maps",
                                      bytes_text(slope), percent_text(share ? share->first : 0))
                        : fmt::format("the live heap grows no longer, and is {}",
                                      format_bytes(*sample.heap.live_bytes));
  return answer;
}

// Less than this over the window is a heap that stays, not one that grows.
constexpr double kObjectsGrownMin = 0.01;

HeapAnswer ask(const AllocsMinusFreesRule &rule, const HeapQuestion &question) {
  const HeapStatistics &heap = question.sample.heap;
  MemberMemory &memory = question.memory;
  if (!heap.objects_allocated || !heap.objects_freed ||
      *heap.objects_allocated < *heap.objects_freed)
    return {};
  const double objects = number(*heap.objects_allocated - *heap.objects_freed);
  if (!memory.series || objects < memory.last) {
    memory.series = std::make_unique<Series>(window_ns(rule.window));
    memory.flat_since_ns = question.now_ns;
  }
  Series &series = *memory.series;
  series.add({question.now_ns, {objects, 0, 0, 0}});
  memory.peak = std::max(memory.peak, objects);
  memory.last = objects;

  const std::uint64_t rising_ns = question.now_ns - memory.flat_since_ns;
  const double gained = series.slope_per_minute(0) * number(series.span_ns()) / 60e9;
  const bool is_over = rising_ns >= window_ns(rule.window) && series.is_full() &&
                       series.first().values[0] >= number(rule.min_live_objects) &&
                       gained >= kObjectsGrownMin * series.first().values[0];
  const double more = objects - series.first().values[0];
  const double h = question.hysteresis;
  const bool is_under =
      objects < number(rule.min_live_objects) * (1 - h) || objects <= memory.peak * (1 - h);
  HeapAnswer answer;
  answer.standing = standing_of(is_over, is_under);
  if (is_under)
    memory.peak = objects;
  answer.telling.value = objects;
  answer.telling.numbers = {{"live_objects", objects},
                            {"gained_objects", more},
                            {"window_seconds", number(series.span_ns()) / 1e9},
                            {"threshold", number(rule.min_live_objects)}};
  answer.telling.says =
      fmt::format("{} objects are live, {} more than {} ago and never fewer in between",
                  count_text(objects), count_text(more), span_text(series.span_ns()));
  answer.telling.cause = "Objects are allocated and none are freed: either something holds them "
                         "all, or no collection has ended. " +
                         largest_cause(question);
  answer.telling.fix = fmt::format("See who holds the maps among them: mapscope maps -p {}.",
                                   question.sample.process.pid);
  answer.why_over = fmt::format("the live objects fell to {}", count_text(objects));
  return answer;
}

struct UsedLimit {
  std::string_view name;
  double used = 0, limit = 0;
  double share() const { return used / limit; }
};

// A runtime with a limit lets the heap grow up to it before it collects: what was allocated since
// the last collection says nothing of how near it really is.
std::optional<UsedLimit> go_limit_of(const CensusSample &sample) {
  const MemoryLimits &limits = sample.limits;
  if (!limits.go_limit_bytes || *limits.go_limit_bytes == 0 || !limits.go_used_bytes)
    return std::nullopt;
  double used = number(*limits.go_used_bytes);
  const HeapStatistics &heap = sample.heap;
  if (heap.live_bytes && heap.allocated_bytes && *heap.allocated_bytes > *heap.live_bytes)
    used -= std::min(used, number(*heap.allocated_bytes - *heap.live_bytes));
  return UsedLimit{"GOMEMLIMIT", used, number(*limits.go_limit_bytes)};
}

std::optional<UsedLimit> tightest_limit_of(const CensusSample &sample) {
  auto tightest = go_limit_of(sample);
  const MemoryLimits &limits = sample.limits;
  if (limits.cgroup_limit_bytes && *limits.cgroup_limit_bytes != 0 && limits.cgroup_bytes) {
    const UsedLimit cgroup{"the limit of its cgroup", number(*limits.cgroup_bytes),
                           number(*limits.cgroup_limit_bytes)};
    if (!tightest || cgroup.share() >= tightest->share())
      tightest = cgroup;
  }
  return tightest;
}

HeapAnswer ask(const MemoryLimitRule &rule, const HeapQuestion &question) {
  const CensusSample &sample = question.sample;
  const auto limit = tightest_limit_of(sample);
  if (!limit)
    return {};
  HeapAnswer answer;
  answer.standing = above(limit->share(), rule.max_share, question.hysteresis);
  answer.telling.value = limit->used;
  answer.telling.numbers = {{"used_bytes", limit->used},
                            {"limit_bytes", limit->limit},
                            {"share", limit->share()},
                            {"resident_bytes", number(sample.limits.resident_bytes)},
                            {"map_bytes", number(sample.map_bytes)},
                            {"threshold", rule.max_share}};
  add_reclaimable(sample, answer.telling);
  answer.telling.says = fmt::format(
      "at {} of {}: {} of {}, {} of it maps", percent_text(limit->share()), limit->name,
      bytes_text(limit->used), bytes_text(limit->limit), format_bytes(sample.map_bytes));
  answer.telling.cause = largest_cause(question);
  answer.telling.fix = fmt::format(
      "{}, or raise the limit.{}",
      question.largest_maps.empty()
          ? fmt::format("Find what holds the memory: mapscope maps -p {}", sample.process.pid)
          : "Shrink the biggest maps first: " + question.largest_maps,
      rebuilt(sample));
  answer.why_over = fmt::format("it is at {} of {} now", percent_text(limit->share()), limit->name);
  return answer;
}

} // namespace

bool is_about_heap(const RuleCondition &condition) {
  return std::holds_alternative<MapShareRule>(condition) ||
         std::holds_alternative<HeapGrowthRule>(condition) ||
         std::holds_alternative<AllocsMinusFreesRule>(condition) ||
         std::holds_alternative<MemoryLimitRule>(condition);
}

void judge_heap(const CensusSample &sample, const std::string &largest_maps,
                const RuleSubjects::Context &context, RuleSubjects &subjects,
                std::vector<Finding> &findings) {
  const std::uint64_t now_ns = subjects.begin(sample.time_ns);
  std::uint64_t room = 1, forgotten = 0; // one member: the process
  RuleMember &member = *subjects.remember({}, 0, room, forgotten);
  member.is_kept = true;
  const HeapQuestion question{sample, largest_maps, context.rule.hysteresis, now_ns, member.memory};
  HeapAnswer answer = std::visit(
      [&]<typename Condition>(const Condition &condition) -> HeapAnswer {
        if constexpr (requires { ask(condition, question); })
          return ask(condition, question);
        else
          return {};
      },
      context.rule.condition);
  answer.telling.subject = "process";
  subjects.observe(member, answer.standing, std::move(answer.telling), std::move(answer.why_over),
                   context);
  subjects.end(
      answer.standing != Standing::unknown, [](MemberKey, const RuleMember &) { return ""; },
      context, findings);
}

} // namespace mapscope
