// The life of alerts: pending, firing, clear, over.
#include "judge/rules/rule_subjects.h"

#include <algorithm>

#include <fmt/format.h>

#include "judge/rules/rule_time.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

// A hold ends between two samples if the last one is as young as the next can be expected.
constexpr std::uint64_t kFreshNs = 120 * kSecondNs;
constexpr std::uint64_t kStaleNs = 3600 * kSecondNs;
constexpr std::uint64_t kStaleVerdictNs = 24 * kStaleNs; // one an hour, and some can't tell
constexpr std::uint64_t kStaleGaps = 6;

// What alerts can be known by, the best first.
std::vector<std::string> subjects_of(const Telling &telling) {
  if (!telling.subject.empty())
    return {telling.subject};
  std::vector<std::string> subjects;
  const auto add = [&](std::string_view what, const std::string &name) {
    if (!name.empty())
      subjects.push_back(fmt::format("{} {}", what, name));
  };
  add("site", telling.site);
  add("owner", telling.owner);
  add("type", telling.type);
  add("address", telling.address);
  return subjects;
}

} // namespace

RuleMember *RuleSubjects::find(MemberKey key) {
  auto member = members_.find(key);
  return member == members_.end() ? nullptr : &member->second;
}

RuleMember *RuleSubjects::remember(MemberKey key, double value, std::uint64_t &room,
                                   std::uint64_t &forgotten) {
  if (RuleMember *known = find(key))
    return known;
  if (room == 0) {
    ++forgotten;
    auto smallest = members_.end();
    for (auto member = members_.begin(); member != members_.end(); ++member)
      if (!member->second.subject && (smallest == members_.end() ||
                                      member->second.memory.bytes < smallest->second.memory.bytes))
        smallest = member;
    if (smallest == members_.end() || static_cast<double>(smallest->second.memory.bytes) >= value)
      return nullptr;
    members_.erase(smallest);
    ++room;
  }
  --room;
  return &members_[key];
}

std::optional<MemberKey> RuleSubjects::other_at(MemberKey key) const {
  for (auto member = members_.lower_bound({key.a, 0});
       member != members_.end() && member->first.a == key.a; ++member)
    if (member->first != key && member->second.look != look_)
      return member->first;
  return std::nullopt;
}

void RuleSubjects::observe_unread(std::uint64_t address) {
  for (auto member = members_.lower_bound({address, 0});
       member != members_.end() && member->first.a == address; ++member) {
    member->second.look = look_;
    member->second.seen_ns = now_ns_;
  }
}

RuleMember &RuleSubjects::rename(MemberKey from, MemberKey to) {
  auto member = members_.extract(from);
  member.key() = to;
  return members_.insert(std::move(member)).position->second;
}

bool RuleSubjects::has_restored() const {
  return std::ranges::any_of(subjects_, [](const auto &entry) { return entry.second.is_restored; });
}

std::uint64_t RuleSubjects::begin(std::uint64_t time_ns) {
  now_ns_ = std::max(time_ns, last_ns_);
  if (look_ != 0 && now_ns_ != last_ns_)
    gap_ns_ = now_ns_ - last_ns_;
  last_ns_ = now_ns_;
  ++look_;
  return now_ns_;
}

bool RuleSubjects::needs_words(const RuleMember &member, Standing standing) const {
  return standing == Standing::over || (member.subject && standing == Standing::between) ||
         (!member.subject && standing != Standing::under && has_restored());
}

std::string RuleSubjects::why_stale(std::uint64_t unseen_ns) {
  return fmt::format("not seen again for {}", span_text(unseen_ns));
}

void RuleSubjects::leave(RuleMember &member, std::string why) {
  if (member.subject)
    if (auto subject = subjects_.find(*member.subject); subject != subjects_.end())
      subject->second.why_over = std::move(why);
  member.subject.reset();
  member.over_since_ns.reset();
  member.telling = {};
}

RuleSubjects::Members::iterator RuleSubjects::forget(Members::iterator member, std::string why) {
  leave(member->second, std::move(why));
  return members_.erase(member);
}

AlertFingerprint RuleSubjects::choose_subject(const Telling &telling,
                                              const Context &context) const {
  const auto names = subjects_of(telling);
  std::optional<AlertFingerprint> first;
  for (const std::string &name : names) {
    const auto fingerprint =
        fingerprint_of(context.boot_id, context.process.key, context.rule.name, name);
    auto subject = subjects_.find(fingerprint);
    // Maps of one type may have nothing to do with each other; what was told of a map before a
    // restart has.
    const bool is_same = &name == &names.front() || !name.starts_with("type ");
    if (subject != subjects_.end() && (is_same || subject->second.is_restored))
      return fingerprint;
    if (!first)
      first = fingerprint;
  }
  return first.value_or(AlertFingerprint{});
}

void RuleSubjects::observe(RuleMember &member, Standing standing, Telling telling,
                           std::string why_under, const Context &context) {
  member.look = look_;
  member.seen_ns = now_ns_;
  member.standing = standing;
  if (standing == Standing::under)
    return leave(member, std::move(why_under));
  const bool is_restored_one = !member.subject && standing != Standing::over && has_restored();
  if (standing == Standing::over || is_restored_one) {
    const auto fingerprint = choose_subject(telling, context);
    auto subject = subjects_.find(fingerprint);
    // While an alert fires, all that is its own counts at once.
    if (!member.subject && subject != subjects_.end() &&
        (standing == Standing::over || subject->second.is_restored))
      member.subject = fingerprint;
  }
  if (standing == Standing::over && !member.over_since_ns)
    member.over_since_ns = now_ns_;
  if (standing == Standing::between && !member.subject)
    member.over_since_ns.reset();
  if (standing == Standing::over || (standing == Standing::between && member.subject))
    member.telling = std::move(telling);
}

void RuleSubjects::fire_due_members(std::uint64_t now_ns, const Context &context) {
  // A verdict is of a whole window already.
  const std::uint64_t hold_ns = std::holds_alternative<FileIoRule>(context.rule.condition)
                                    ? 0
                                    : nanoseconds(context.rule.hold);
  const std::uint64_t fresh_until_ns = last_ns_ + std::max(kFreshNs, 2 * gap_ns_);
  for (auto &[key, member] : members_) {
    if (!member.over_since_ns || member.subject || member.standing != Standing::over)
      continue;
    const std::uint64_t fires_ns = *member.over_since_ns + hold_ns;
    if (fires_ns > now_ns && fires_ns <= fresh_until_ns)
      due_ns_ = std::min(due_ns_, fires_ns);
    if (fires_ns > now_ns || now_ns > fresh_until_ns)
      continue;
    const auto fingerprint = choose_subject(member.telling, context);
    member.subject = fingerprint;
    auto [entry, is_new] = subjects_.try_emplace(fingerprint);
    if (!is_new)
      continue;
    Finding &finding = entry->second.finding;
    finding.fingerprint = fingerprint.text();
    finding.type = member.telling.type;
    finding.owner = member.telling.owner;
    finding.site = member.telling.site;
    finding.since_ns = *member.over_since_ns;
  }
}

void RuleSubjects::judge(std::uint64_t now_ns, const Context &context,
                         std::vector<Finding> &findings) {
  due_ns_ = UINT64_MAX;
  fire_due_members(now_ns, context);
  gather(now_ns, context);
  tell_changes(now_ns, context, findings);
  if (!members_.empty() || !subjects_.empty())
    due_ns_ = std::min(due_ns_, last_ns_ + stale_after(context));
}

std::uint64_t RuleSubjects::stale_after(const Context &context) const {
  const bool is_verdict = std::holds_alternative<FileIoRule>(context.rule.condition);
  return std::max(is_verdict ? kStaleVerdictNs : kStaleNs, kStaleGaps * gap_ns_);
}

void RuleSubjects::tick(std::uint64_t now_ns, const Context &context,
                        std::vector<Finding> &findings) {
  if (now_ns < due_ns_)
    return;
  now_ns = std::max(now_ns, last_ns_);
  const std::uint64_t unseen_ns = now_ns - last_ns_;
  if (unseen_ns >= stale_after(context)) {
    const std::string why = why_stale(unseen_ns);
    for (auto member = members_.begin(); member != members_.end();)
      member = forget(member, why);
    for (auto &[fingerprint, subject] : subjects_) {
      subject.is_restored = false;
      if (subject.why_over.empty())
        subject.why_over = why;
      if (!subject.clear_since_ns)
        subject.clear_since_ns = last_ns_;
    }
  }
  judge(now_ns, context, findings);
}

void RuleSubjects::restore(const Finding &finding, std::uint64_t now_ns,
                           std::optional<Seconds> keep_event) {
  const auto fingerprint = AlertFingerprint::from_text(finding.fingerprint);
  if (!fingerprint)
    return;
  last_ns_ = std::max(last_ns_, now_ns);
  Subject &subject = subjects_[*fingerprint];
  subject.finding = finding;
  subject.finding.process = {};
  subject.told_ns = std::max<std::uint64_t>(finding.time_ns, 1);
  subject.told_maps = finding.maps;
  subject.told_severity = finding.severity;
  if (finding.bpf_map)
    subject.told_key_file = finding.bpf_map->key_file;
  if (auto value = finding.numbers.find("value"); value != finding.numbers.end())
    subject.value = subject.told_value = value->second;
  if (keep_event) {
    subject.clear_since_ns = finding.time_ns;
    subject.keep = keep_event;
    subject.why_over = why_stale(nanoseconds(*keep_event));
  } else {
    subject.is_restored = true;
    subject.restored_ns = last_ns_;
  }
  due_ns_ = 0;
}

std::vector<Finding> RuleSubjects::firing(const Context &context) const {
  std::vector<Finding> findings;
  for (const auto &[fingerprint, subject] : subjects_)
    findings.push_back(told(subject, subject.told_ns, context));
  return findings;
}

void RuleSubjects::outlive(std::uint64_t now_ns, Seconds keep, std::string_view why) {
  last_ns_ = std::max(last_ns_, now_ns);
  for (auto &[fingerprint, subject] : subjects_) {
    subject.clear_since_ns = last_ns_;
    subject.keep = keep;
    subject.why_over = why;
  }
  due_ns_ = 0;
}

void RuleSubjects::end_all(std::uint64_t now_ns, std::string_view why, const Context &context,
                           std::vector<Finding> &findings) {
  now_ns = std::max(now_ns, last_ns_);
  for (const auto &[fingerprint, subject] : subjects_) {
    Finding &finding = findings.emplace_back(told(subject, now_ns, context));
    finding.is_firing = false;
    finding.resolution = why;
  }
  members_.clear();
  subjects_.clear();
  due_ns_ = UINT64_MAX;
}

} // namespace mapscope
