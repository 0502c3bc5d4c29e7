// What alerts say: the words and numbers of their members put together, and when they are told
// again.
#include "judge/rules/rule_subjects.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "judge/rules/rule_time.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

constexpr std::uint64_t kTellAgainNs = 600 * kSecondNs;

// Of several maps; all others are the largest one's.
constexpr std::array<std::string_view, 8> kSummedNumbers = {
    "bytes",        "bytes_per_minute",  "entries", "entries_per_minute",
    "peak_entries", "reclaimable_bytes", "slots",   "growths_per_minute"};

std::string summary_of(const Telling &largest, std::uint64_t maps, double bytes_in_all,
                       const Finding &finding, const ProcessIdentity &process,
                       std::uint64_t now_ns) {
  const std::uint64_t held_ns = elapsed_ns(now_ns, finding.since_ns);
  const std::string since =
      held_ns < kSecondNs ? ", seen first now" : ", for " + span_text(held_ns);
  const std::string name = largest.name.empty() ? "" : largest.name + (maps < 2 ? " " : ", ");
  if (maps < 2)
    return fmt::format("{}: {}{}{}", process_text(process), name, largest.says, since);
  return fmt::format("{}: {} maps, {} in all; the largest, {}{}{}", process_text(process), maps,
                     bytes_text(bytes_in_all), name, largest.says, since);
}

} // namespace

// What members say, put together for each alert; who has none left is clear.
void RuleSubjects::gather(std::uint64_t now_ns, const Context &context) {
  struct Sum {
    const Telling *largest = nullptr;
    std::uint64_t maps = 0;
    std::map<std::string, double> numbers;
  };
  std::map<AlertFingerprint, Sum> sums;
  for (const auto &[key, member] : members_) {
    if (!member.subject || !subjects_.contains(*member.subject))
      continue;
    Sum &sum = sums[*member.subject];
    const Telling &telling = member.telling;
    if (!sum.largest || telling.value > sum.largest->value)
      sum.largest = &telling;
    sum.maps += telling.address.empty() ? 0 : 1;
    for (std::string_view name : kSummedNumbers)
      if (auto number = telling.numbers.find(std::string{name}); number != telling.numbers.end())
        sum.numbers[number->first] += number->second;
  }
  for (auto &[fingerprint, subject] : subjects_) {
    auto sum = sums.find(fingerprint);
    if (sum == sums.end()) {
      if (!subject.clear_since_ns && !subject.is_restored)
        subject.clear_since_ns = now_ns;
      continue;
    }
    subject.clear_since_ns.reset();
    const Telling &largest = *sum->second.largest;
    if (largest.says.empty())
      continue; // restored, and nothing known of it yet: what was told then stays
    Finding &finding = subject.finding;
    finding.maps = sum->second.maps;
    finding.numbers = largest.numbers;
    for (const auto &[name, number] : sum->second.numbers)
      finding.numbers[name] = number;
    if (auto bytes = largest.numbers.find("bytes");
        finding.maps > 1 && bytes != largest.numbers.end())
      finding.numbers["largest_bytes"] = bytes->second;
    finding.bpf_map = largest.bpf_map;
    finding.cause = largest.cause;
    finding.fix = largest.fix;
    finding.summary = summary_of(largest, finding.maps, finding.numbers["bytes"], finding,
                                 context.process, now_ns);
    if (!largest.numbers.contains("bytes"))
      finding.numbers.erase("bytes");
    finding.numbers["value"] = subject.value = largest.value;
    if (subject.told_value == 0)
      subject.told_value = subject.value;
  }
}

Finding RuleSubjects::told(const Subject &subject, std::uint64_t now_ns,
                           const Context &context) const {
  Finding finding = subject.finding;
  finding.rule = context.rule.name;
  finding.kind = kind_name_of(context.rule.condition);
  finding.severity = context.rule.severity;
  finding.labels = context.rule.labels;
  finding.process = context.process;
  finding.time_ns = now_ns;
  return finding;
}

bool RuleSubjects::is_to_be_told(const Subject &subject, std::uint64_t now_ns,
                                 const Context &context) {
  if (subject.told_ns == 0)
    return true;
  const bool doubled = subject.value >= 2 * subject.told_value && subject.value > 0;
  const bool has_more = subject.finding.maps >= 2 * subject.told_maps && subject.finding.maps > 0;
  // Told at once: the fix says where it is.
  const auto &bpf_map = subject.finding.bpf_map;
  if (bpf_map && !bpf_map->key_file.empty() && bpf_map->key_file != subject.told_key_file)
    return true;
  return (doubled || has_more || subject.told_severity != context.rule.severity) &&
         elapsed_ns(now_ns, subject.told_ns) >= kTellAgainNs;
}

void RuleSubjects::tell_changes(std::uint64_t now_ns, const Context &context,
                                std::vector<Finding> &findings) {
  for (auto entry = subjects_.begin(); entry != subjects_.end();) {
    Subject &subject = entry->second;
    const std::uint64_t over_ns =
        subject.clear_since_ns
            ? *subject.clear_since_ns + nanoseconds(subject.keep.value_or(context.rule.keep))
            : UINT64_MAX;
    if (over_ns <= now_ns) {
      Finding &finding = findings.emplace_back(told(subject, now_ns, context));
      finding.is_firing = false;
      finding.resolution =
          subject.why_over.empty() ? "the condition holds no longer" : subject.why_over;
      entry = subjects_.erase(entry);
      continue;
    }
    if (is_to_be_told(subject, now_ns, context)) {
      findings.push_back(told(subject, now_ns, context));
      subject.told_ns = std::max<std::uint64_t>(now_ns, 1);
      subject.told_value = subject.value;
      subject.told_maps = subject.finding.maps;
      subject.told_severity = context.rule.severity;
      if (subject.finding.bpf_map)
        subject.told_key_file = subject.finding.bpf_map->key_file;
    }
    due_ns_ = std::min(due_ns_, over_ns);
    ++entry;
  }
}

void RuleSubjects::happen(std::uint64_t time_ns, Telling telling, Seconds keep,
                          const Context &context, std::vector<Finding> &findings) {
  const std::uint64_t now_ns = begin(time_ns);
  const auto fingerprint = choose_subject(telling, context);
  auto [entry, is_new] = subjects_.try_emplace(fingerprint);
  Subject &subject = entry->second;
  Finding &finding = subject.finding;
  if (is_new) {
    finding.fingerprint = fingerprint.text();
    finding.type = telling.type;
    finding.owner = telling.owner;
    finding.site = telling.site;
    finding.since_ns = now_ns;
  }
  subject.value += 1;
  subject.is_restored = false;
  finding.numbers = telling.numbers;
  finding.numbers["reports"] = finding.numbers["value"] = subject.value;
  finding.cause = telling.cause;
  finding.fix = telling.fix;
  finding.summary = summary_of(telling, 0, 0, finding, context.process, now_ns);
  subject.clear_since_ns = now_ns;
  subject.keep = keep;
  subject.why_over = why_stale(nanoseconds(keep));
  judge(now_ns, context, findings);
}

} // namespace mapscope
