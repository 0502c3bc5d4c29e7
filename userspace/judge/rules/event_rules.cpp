// Rates of call sites, and single events.
#include "judge/rules/event_rules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <ranges>
#include <variant>

#include <fmt/format.h>

#include "base/format.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

constexpr Seconds kMisuseKeep{600};
// What a receiver waits before it tells people (Alertmanager: 30 s) has to fit.
constexpr Seconds kEndedMisuseKeepMax{600};
constexpr std::size_t kSitesMax = 1000; // of one sample
constexpr std::size_t kPathLengthMax = 64;

double number(std::uint64_t value) { return static_cast<double>(value); }

// All types of one line together.
struct RateOfSite {
  std::string site, type;
  double per_time = 0, relative_error = 0;
  std::uint64_t seen = 0, slots_max = 0;
  // Even if the estimate is off by its error.
  double at_least() const { return per_time * std::max(0.0, 1 - relative_error); }
};

std::vector<RateOfSite> rates_of(const RateSample &sample, bool of_growth) {
  std::map<std::string, RateOfSite> by_site;
  for (const SiteRate &rate : sample.sites) {
    const std::string site = line_text(rate.site);
    if (site.empty() || (by_site.size() >= kSitesMax && !by_site.contains(site)))
      continue;
    RateOfSite &sum = by_site[site];
    sum.site = site;
    if (sum.type.empty())
      sum.type = rate.type;
    sum.per_time += of_growth ? rate.growths_per_minute : rate.creations_per_second;
    sum.seen += of_growth ? rate.growths : rate.creations;
    sum.relative_error = std::max(sum.relative_error, rate.relative_error);
    sum.slots_max = std::max(sum.slots_max, rate.slots_max);
  }
  std::vector<RateOfSite> rates;
  for (auto &[site, rate] : by_site)
    rates.push_back(std::move(rate));
  return rates;
}

// As many entries as fit: 13 sixteenths fill a classic map's buckets, and need no more groups of a
// swiss one.
std::uint64_t hint_for_slots(std::uint64_t slots) { return slots / 16 * 13 + slots % 16 * 13 / 16; }

std::string make_text(const std::string &type) {
  return type.empty() ? "map[K]V" : shortened(type, 48);
}

Telling tell_rate(const RateOfSite &rate, double threshold) {
  Telling telling{.type = rate.type, .site = rate.site};
  telling.value = rate.per_time;
  telling.numbers = {{"relative_error", rate.relative_error},
                     {"seen", number(rate.seen)},
                     {"threshold", threshold}};
  telling.name = shortened(rate.site, 80);
  return telling;
}

Telling tell_storm(const RateOfSite &rate, double threshold) {
  Telling telling = tell_rate(rate, threshold);
  const std::uint64_t hint = hint_for_slots(rate.slots_max);
  telling.numbers["growths_per_minute"] = rate.per_time;
  telling.numbers["slots_max"] = number(rate.slots_max);
  telling.numbers["hint_entries"] = number(hint);
  telling.says = fmt::format("makes maps grow {} times a minute (within {}), to {} slots at most",
                             count_text(rate.per_time), percent_text(rate.relative_error),
                             format_count(rate.slots_max));
  telling.cause = "Maps are made without their size and grow step by step; each step copies all "
                  "entries.";
  telling.fix = hint > 8 ? fmt::format("Make them with their size: make({}, {}) at the line that "
                                       "makes the maps which {} fills.",
                                       make_text(rate.type), hint, rate.site)
                         : "Make them with their size: make(map[K]V, n); or use one map again, "
                           "emptied with clear(m).";
  return telling;
}

Telling tell_churn(const RateOfSite &rate, double threshold) {
  Telling telling = tell_rate(rate, threshold);
  telling.numbers["maps_per_second"] = rate.per_time;
  telling.says = fmt::format("makes {} maps a second (within {})", count_text(rate.per_time),
                             percent_text(rate.relative_error));
  telling.cause = "A map is made for each call and thrown away: work for the allocator and the "
                  "collector.";
  telling.fix = "Use one map again: clear(m) keeps its memory, a sync.Pool shares it among "
                "goroutines; for a handful of keys a slice is faster.";
  return telling;
}

MemberKey key_of(const std::string &site) {
  const AlertFingerprint hash = fingerprint_of({}, {}, {}, site);
  return {hash.high, hash.low};
}

std::string where_text(const MisuseSample &sample) {
  std::string text;
  if (!sample.type.empty())
    text += ", on a " + shortened(sample.type, 48);
  if (sample.site)
    text += ", at " + shortened(line_text(*sample.site), 80);
  return text;
}

std::string misuse_fix(const std::string &message) {
  if (message.find("nil map") != message.npos)
    return "Make the map before it is written to: m = make(map[K]V).";
  return "Guard the map with a sync.Mutex, or use a sync.Map; go test -race shows both sides.";
}

} // namespace

void judge_rates(const RateSample &sample, const RuleSubjects::Context &context,
                 RuleSubjects &subjects, MemberRoom &room, std::vector<Finding> &findings) {
  const auto *storm = std::get_if<MapRehashStormRule>(&context.rule.condition);
  const auto *churn = std::get_if<MapChurnRule>(&context.rule.condition);
  if ((!storm && !churn) || sample.watched_ns == 0)
    return; // nobody looked: nothing is known
  const double limit = storm ? storm->growths_per_minute : churn->maps_per_second;
  const double h = context.rule.hysteresis;
  subjects.begin(sample.time_ns);
  for (const RateOfSite &rate : rates_of(sample, storm != nullptr)) {
    const Standing standing =
        standing_of(rate.at_least() > limit, rate.per_time <= limit * (1 - h));
    RuleMember *member = subjects.find(key_of(rate.site));
    if (!member &&
        (standing == Standing::over || (standing == Standing::between && subjects.has_restored())))
      member = subjects.remember(key_of(rate.site), rate.per_time, room.left, room.forgotten);
    if (!member)
      continue;
    subjects.observe(
        *member, standing, storm ? tell_storm(rate, limit) : tell_churn(rate, limit),
        storm ? fmt::format("it makes maps grow {} times a minute now", count_text(rate.per_time))
              : fmt::format("it makes {} maps a second now", count_text(rate.per_time)),
        context);
  }
  // Where records were lost, the ones of a line may be among them.
  subjects.end(
      sample.lost == 0,
      [&](MemberKey, const RuleMember &) {
        return storm ? "no map grows there any more" : "no map is made there any more";
      },
      context, findings);
}

std::optional<Seconds> event_keep_of(const Rule &rule) {
  if (!std::holds_alternative<MapMisuseRule>(rule.condition))
    return std::nullopt;
  return rule.keep.count() > 0 ? rule.keep : kMisuseKeep;
}

std::optional<Seconds> ended_event_keep_of(const Rule &rule) {
  const auto keep = event_keep_of(rule);
  return keep ? std::optional{std::min(*keep, kEndedMisuseKeepMax)} : std::nullopt;
}

void judge_misuse(const MisuseSample &sample, const RuleSubjects::Context &context,
                  RuleSubjects &subjects, std::vector<Finding> &findings) {
  const auto keep = event_keep_of(context.rule);
  if (!keep)
    return;
  Telling telling{.type = sample.type};
  telling.site = sample.site ? line_text(*sample.site) : std::string{};
  if (telling.site.empty() && telling.type.empty())
    telling.subject = "message " + sample.message;
  telling.numbers = {{"goroutine", number(sample.goroutine)},
                     {"is_fatal", sample.is_fatal ? 1.0 : 0.0}};
  telling.says = fmt::format("{}{}{}", shortened(sample.message, 80), where_text(sample),
                             sample.is_fatal ? "; the runtime ends the process" : "");
  for (const std::string &other : sample.others | std::views::take(3))
    telling.cause += (telling.cause.empty() ? "" : " ") + other;
  if (telling.cause.empty())
    telling.cause = sample.message.find("nil map") != sample.message.npos
                        ? "The map was declared and never made."
                        : "Two goroutines used one map at a time, and one of them wrote.";
  telling.fix = misuse_fix(sample.message);
  subjects.happen(sample.time_ns, std::move(telling), *keep, context, findings);
}

void judge_verdict(const VerifySample &sample, const RuleSubjects::Context &context,
                   RuleSubjects &subjects, std::vector<Finding> &findings) {
  if (!std::holds_alternative<FileIoRule>(context.rule.condition))
    return;
  const bool is_violated = sample.verdict == "violated", is_clean = sample.verdict == "clean";
  const auto first = std::ranges::max_element(sample.violations, {}, &FileIoCall::count);
  std::uint64_t calls = 0;
  for (const FileIoCall &call : sample.violations)
    calls += call.count;
  Telling telling{.subject = "process"};
  telling.value = number(calls);
  telling.numbers = {{"calls", number(calls)},
                     {"operations", number(sample.operations)},
                     {"watched_seconds", number(sample.duration_ns) / 1e9}};
  telling.says = "a map operation did file I/O";
  telling.fix = "Run mapscope verify on the process: it shows each call with its stack.";
  if (first != sample.violations.end()) {
    telling.site = first->site ? line_text(*first->site) : std::string{};
    telling.says += fmt::format(": {}{}{}, {} in {}{}", first->call, first->path.empty() ? "" : " ",
                                shortened(first->path, kPathLengthMax),
                                format_counted(calls, "call"), span_text(sample.duration_ns),
                                telling.site.empty() ? "" : ", at " + shortened(telling.site, 64));
    telling.cause = first->cause;
  }
  subjects.begin(sample.time_ns);
  std::uint64_t room = 1, forgotten = 0;
  RuleMember &member = *subjects.remember({}, 0, room, forgotten);
  subjects.observe(member,
                   is_violated ? Standing::over
                   : is_clean  ? Standing::under
                               : Standing::unknown,
                   std::move(telling), "a verification was clean", context);
  subjects.end(
      is_violated || is_clean, [](MemberKey, const RuleMember &) { return ""; }, context, findings);
}

} // namespace mapscope
