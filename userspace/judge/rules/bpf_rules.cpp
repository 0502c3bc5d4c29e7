// Conditions on the kernel's own maps.
#include "judge/rules/bpf_rules.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/format.h"
#include "flow/bpf_rates.h"
#include "flow/process_selector.h"
#include "judge/rules/bpf_words.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

// After so many looks it is known whether a map grows; see judge/time_to_full.h.
constexpr std::uint32_t kLooksUntilKnown = 8;
constexpr std::uint32_t kNoPrealloc = 1; // BPF_F_NO_PREALLOC
// What the kernel answers where a map has no room, or has no memory for it.
constexpr std::array<std::string_view, 3> kNoRoom = {"E2BIG", "ENOSPC", "ENOMEM"};

double number(std::uint64_t value) { return static_cast<double>(value); }

struct BpfQuestion {
  const BpfMapSample &map;
  double hysteresis;
  bool is_young; // told before a restart: whether it grows may not be known again yet
};

struct BpfAnswer {
  Standing standing = Standing::unknown;
  Telling telling; // numbers of the kind are added to those of the map
  std::string why_under;
};

bool is_chosen(const std::vector<std::string> &maps, const std::vector<std::string> &types,
               const BpfMapFacts &map) {
  return (!map.is_own || !maps.empty()) && matches_any(maps, map.name) &&
         matches_any(types, map.type);
}

// --- fill ---

bool is_usable(const BpfMapSample &map) {
  return map.fill.fill && map.fill.method != BpfMethod::unknown;
}

// At least, even if a sample is off by its error.
double certain_fill(const BpfMapSample &map) {
  return std::max(0.0, *map.fill.fill -
                           number(map.fill.error) / std::max(1.0, number(map.facts.max_entries)));
}

Standing soon_full(const BpfFillRule &rule, const BpfQuestion &question) {
  const std::optional<BpfTimeToFull> &to_full = question.map.time_to_full;
  if (rule.full_within.count() == 0)
    return Standing::under;
  if (!to_full || !to_full->seconds)
    return question.is_young ? Standing::unknown : Standing::under;
  const double limit = static_cast<double>(rule.full_within.count());
  // Only where the whole interval says that it fills.
  return standing_of(*to_full->seconds <= limit && to_full->upper.has_value(),
                     *to_full->seconds > limit * (1 + question.hysteresis));
}

BpfAnswer ask(const BpfFillRule &rule, const BpfQuestion &question) {
  const BpfMapSample &map = question.map;
  if (!is_usable(map))
    return {};
  const double h = question.hysteresis;
  const Standing full = standing_of(is_filled(rule, map), *map.fill.fill < rule.max_fill * (1 - h));
  const Standing soon =
      both(soon_full(rule, question), standing_of(certain_fill(map) >= rule.min_fill,
                                                  *map.fill.fill < rule.min_fill * (1 - h)));
  const bool is_soon = full != Standing::over && soon == Standing::over;
  BpfAnswer answer{.standing = either(full, soon), .telling = bpf_telling(map)};
  answer.telling.value = *map.fill.fill;
  answer.telling.numbers["threshold"] = rule.max_fill;
  answer.telling.says = "is " + bpf_fill_text(map);
  if (is_soon)
    answer.telling.says += "; it will be full " + full_in_text(*map.time_to_full);
  answer.telling.cause = when_full_text(map.facts);
  if (map.time_to_full && map.time_to_full->seconds && *map.time_to_full->seconds > 0)
    answer.telling.cause +=
        fmt::format(" As it grows now, that is {}.", full_in_text(*map.time_to_full));
  if (map.facts.type.ends_with("ringbuf"))
    answer.telling.fix = "Make the ring buffer larger, its reader faster, or its records fewer.";
  else
    answer.telling.fix = "Delete entries that are no longer needed, or make the map with a larger "
                         "max_entries.";
  answer.telling.fix +=
      map.key_file.empty()
          ? fmt::format(" See its keys: mapscope bpf-maps --keys {}.", map.facts.id)
          : fmt::format(" Its keys are in {}.", map.key_file);
  answer.why_under = "it is " + bpf_fill_text(map) + " now";
  return answer;
}

// --- lookups ---

std::optional<BpfRateSum> lookup_rate(const BpfMapSample &map) {
  return map.rates && map.rates->window_ns != 0 ? std::optional{lookups_of(*map.rates)}
                                                : std::nullopt;
}

std::string often_text(const BpfRateSum &rate) {
  if (!rate.likely)
    return fmt::format("at least {} times a second", count_text(rate.lower));
  return rate.is_exact ? fmt::format("{} times a second", count_text(*rate.likely))
                       : fmt::format("{} times a second, estimated; {} at least",
                                     count_text(*rate.likely), count_text(rate.lower));
}

BpfAnswer ask(const BpfLookupsRule &rule, const BpfQuestion &question) {
  const BpfMapSample &map = question.map;
  const std::optional<BpfRateSum> rate = lookup_rate(map);
  if (!rate)
    return {};
  const double limit = rule.lookups_per_second;
  // Where nothing is known of programs, what made it speak is what it ends by.
  BpfAnswer answer{.standing =
                       standing_of(rate->lower >= limit, rate->likely.value_or(rate->lower) <
                                                             limit * (1 - question.hysteresis)),
                   .telling = bpf_telling(map),
                   .why_under = {}};
  Telling &telling = answer.telling;
  telling.value = rate->lower;
  telling.numbers["lookups_per_second_lower"] = rate->lower;
  if (rate->likely)
    telling.numbers["lookups_per_second"] = *rate->likely;
  telling.numbers["threshold"] = limit;
  telling.says = "is looked up " + often_text(*rate);
  telling.cause = map.keys ? bpf_keys_text(*map.keys) : "";
  if (telling.cause.empty())
    telling.cause = "Which keys are asked for was not seen.";
  telling.fix =
      "Keep what is asked for again and again where it is used: in a per-CPU array, in the "
      "program's context, or in the process; or look up fewer times a packet or event.";
  answer.why_under = "it is looked up " + often_text(*rate) + " now";
  return answer;
}

// --- memory without bound ---

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? UINT64_MAX : result;
}

std::uint64_t round_up_8(std::uint32_t bytes) { return (std::uint64_t{bytes} + 7) / 8 * 8; }

// Entries that are allocated one by one, up to max_entries: keys and values alone, without what the
// kernel adds to each, and those of one CPU only.
std::optional<std::uint64_t> declared_bytes(const BpfMapFacts &map) {
  const bool is_on_demand =
      map.type == "lpm_trie" || ((map.flags & kNoPrealloc) != 0 && map.type.ends_with("hash"));
  if (!is_on_demand)
    return std::nullopt;
  return product(round_up_8(map.key_bytes) + round_up_8(map.value_bytes), map.max_entries);
}

std::optional<std::uint64_t> held_bytes(const BpfMapFacts &map) {
  return map.memory_method == BpfMemoryMethod::accounted ||
                 map.memory_method == BpfMemoryMethod::charged
             ? map.memory_bytes
             : std::nullopt;
}

BpfAnswer ask(const BpfUnboundedRule &rule, const BpfQuestion &question) {
  const BpfMapSample &map = question.map;
  const auto declared = declared_bytes(map.facts), held = held_bytes(map.facts);
  if (!declared && !held)
    return {};
  const std::uint64_t most = std::max(declared.value_or(0), held.value_or(0));
  const bool is_held = held.value_or(0) >= declared.value_or(0);
  BpfAnswer answer{.standing =
                       above(number(most), number(rule.max_declared_bytes), question.hysteresis),
                   .telling = bpf_telling(map)};
  Telling &telling = answer.telling;
  telling.value = number(most);
  if (declared)
    telling.numbers["declared_bytes"] = number(*declared);
  telling.numbers["threshold"] = number(rule.max_declared_bytes);
  telling.says = is_held
                     ? fmt::format("holds {}, allowed are {}", format_bytes(most),
                                   format_bytes(rule.max_declared_bytes))
                     : fmt::format("may grow to {} entries, {} at least, allowed are {}; now {}",
                                   format_count(map.facts.max_entries), format_bytes(most),
                                   format_bytes(rule.max_declared_bytes),
                                   held ? format_bytes(*held) : std::string{"not known"});
  telling.cause =
      is_held ? "Its memory is the kernel's: no process is charged for it in its resident size."
              : "It is made without preallocation and with a max_entries that bounds nothing: each "
                "new key takes memory of the kernel.";
  telling.fix = map.facts.type.ends_with("storage")
                    ? "Make the value smaller, or delete it where it is no longer needed: there is "
                      "one for each socket, task, inode or cgroup."
                    : "Make it with the max_entries that it needs, or with smaller values.";
  answer.why_under = fmt::format("it is {} now", format_bytes(most));
  return answer;
}

// --- inserts that fail ---

BpfAnswer ask(const BpfInsertFailuresRule &rule, const BpfQuestion &question) {
  const BpfMapSample &map = question.map;
  if (!map.rates || map.rates->window_ns == 0)
    return {};
  std::uint64_t failed = 0;
  std::string by_error;
  for (const std::string_view name : kNoRoom)
    if (const auto found = map.rates->insert_failures.find(std::string{name});
        found != map.rates->insert_failures.end() && found->second != 0) {
      failed += found->second;
      by_error +=
          fmt::format("{}{} {}", by_error.empty() ? "" : ", ", name, format_count(found->second));
    }
  const double per_minute = number(failed) * 60e9 / number(map.rates->window_ns);
  BpfAnswer answer{.standing = at_least(per_minute, rule.failures_per_minute, question.hysteresis),
                   .telling = bpf_telling(map)};
  Telling &telling = answer.telling;
  telling.value = per_minute;
  telling.numbers["failures_per_minute"] = per_minute;
  telling.numbers["failures_seen"] = number(failed);
  telling.numbers["watched_seconds"] = number(map.rates->window_ns) / 1e9;
  telling.numbers["threshold"] = rule.failures_per_minute;
  const std::string seen = fmt::format("{} in {}", by_error, span_text(map.rates->window_ns));
  telling.says = fmt::format("refuses inserts: {}{}", seen,
                             map.rates->sees_program_failures ? "" : ", through bpf(2) alone");
  if (is_usable(map))
    telling.says += "; it is " + bpf_fill_text(map);
  telling.cause = by_error.contains("ENOMEM") ? "The kernel had no memory for the entry."
                                              : "There is no room for another entry.";
  telling.fix = "Delete entries that are no longer needed, or make the map with a larger "
                "max_entries; the program has to look at the result of each insert.";
  answer.why_under = fmt::format("no insert was refused in {}", span_text(map.rates->window_ns));
  return answer;
}

bool judges(const RuleCondition &condition, const BpfMapFacts &map) {
  return std::visit(
      [&map]<typename Condition>(const Condition &rule) {
        if constexpr (std::is_same_v<Condition, BpfFillRule>)
          return judges_fill(rule, map);
        else if constexpr (requires { rule.types; })
          return is_chosen(rule.maps, rule.types, map);
        else
          return false;
      },
      condition);
}

} // namespace

bool is_about_bpf(const RuleCondition &condition) {
  return std::visit([](const auto &rule) { return requires { rule.types; }; }, condition);
}

bool judges_fill(const BpfFillRule &rule, const BpfMapFacts &map) {
  // Full is how these are meant to be; of a frozen map nobody can add anything.
  const bool is_meant_full = map.type.starts_with("lru_") && rule.types.empty();
  return is_chosen(rule.maps, rule.types, map) && !is_meant_full &&
         !map.is_frozen.value_or(false) && map.max_entries >= rule.min_entries;
}

bool is_filled(const BpfFillRule &rule, const BpfMapSample &map) {
  return is_usable(map) && certain_fill(map) >= rule.max_fill;
}

bool judges_lookups(const BpfLookupsRule &rule, const BpfMapFacts &map) {
  return is_chosen(rule.maps, rule.types, map);
}

bool is_hammered(const BpfLookupsRule &rule, const BpfMapSample &map) {
  const std::optional<BpfRateSum> rate = lookup_rate(map);
  return rate && rate->lower >= rule.lookups_per_second;
}

void judge_bpf_maps(const BpfMapsSample &sample, const RuleSubjects::Context &context,
                    RuleSubjects &subjects, MemberRoom &room, std::vector<Finding> &findings) {
  subjects.begin(sample.time_ns);
  for (const BpfMapSample &map : sample.look.maps) {
    if (!judges(context.rule.condition, map.facts))
      continue;
    const MemberKey key{map.facts.id, map.facts.type_number};
    RuleMember *member = subjects.find(key);
    const bool is_young =
        member ? !member->memory.was_seen && member->memory.censuses < kLooksUntilKnown
               : subjects.has_restored();
    const BpfQuestion question{map, context.rule.hysteresis, is_young};
    BpfAnswer answer = std::visit(
        [&]<typename Condition>(const Condition &condition) -> BpfAnswer {
          if constexpr (requires { ask(condition, question); })
            return ask(condition, question);
          else
            return {};
        },
        context.rule.condition);
    const bool may_be_restored = answer.standing != Standing::under && subjects.has_restored();
    if (!member && (answer.standing == Standing::over || may_be_restored))
      member = subjects.remember(key, answer.telling.value, room.left, room.forgotten);
    if (!member)
      continue;
    ++member->memory.censuses;
    member->memory.was_seen |= answer.standing == Standing::over; // in this life of the daemon
    if (answer.telling.subject.empty()) // it can't be told now, but who it is can
      answer.telling.subject = bpf_telling(map).subject;
    subjects.observe(*member, answer.standing, std::move(answer.telling),
                     std::move(answer.why_under), context);
  }
  subjects.end(
      true, [](MemberKey, const RuleMember &) { return "the map is gone"; }, context, findings);
}

} // namespace mapscope
