// The alerts of one rule in one process: whom the condition holds for, how long it has, what has
// been told of it, and when it is over. What the condition is, others know.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/alert.h"
#include "flow/rule.h"
#include "judge/rules/fingerprint.h"
#include "judge/rules/series.h"
#include "judge/rules/standing.h"

namespace mapscope {

// One thing that the condition is asked of: a map by address and seed, a call site by its hash, or
// the process itself by zeros.
struct MemberKey {
  std::uint64_t a = 0, b = 0;
  friend auto operator<=>(MemberKey, MemberKey) = default;
};

// What is told of one member. Numbers of several are added up where that makes sense.
struct Telling {
  std::string type, owner, site;
  std::string address; // of a map
  std::string subject; // where it is neither site nor owner nor type nor address
  std::string name;    // "map[string]int of main.cache"
  std::optional<FindingBpfMap> bpf_map;
  std::string says; // "wastes 1.00 GiB of 2.00 GiB"
  std::string cause, fix;
  double value = 0; // what the alert is about: the largest is told, and that it doubled
  std::map<std::string, double> numbers;
};

// What conditions remember of a member from one sample to the next.
struct MemberMemory {
  bool was_seen = false;
  std::uint64_t len = 0, slots = 0, bytes = 0; // at the last sample
  std::size_t type_hash = 0;
  std::uint64_t peak_len = 0;
  std::unique_ptr<Series> series; // only where numbers move
  std::uint64_t flat_since_ns = 0;
  std::uint32_t rises = 0, flats = 0, censuses = 0; // since the last fall; in a row
  double at_last_fall = 0, peak = 0, last = 0;
  std::uint64_t census_ns = 0; // the last
};

struct RuleMember {
  MemberMemory memory;
  Standing standing = Standing::unknown;
  std::optional<std::uint64_t> over_since_ns;
  std::optional<AlertFingerprint> subject; // of the alert that it is part of
  Telling telling;                         // empty while nothing is to be told of it
  bool is_kept = false;                    // for its memory, also while nothing is over
  std::uint64_t look = 0;                  // number of the last look that saw it,
  std::uint64_t seen_ns = 0;               // and its time
};

class RuleSubjects {
public:
  struct Context {
    const Rule &rule;
    const ProcessIdentity &process;
    std::string_view boot_id;
  };

  RuleMember *find(MemberKey key);
  // Null: there is no room and all others are larger. `room`: how many more members this process
  // may have.
  RuleMember *remember(MemberKey key, double value, std::uint64_t &room, std::uint64_t &forgotten);
  // The one that was last seen at this address under another seed.
  std::optional<MemberKey> other_at(MemberKey key) const;
  RuleMember &rename(MemberKey from, MemberKey to);
  bool has_restored() const;

  // A look at all members begins; the time at which it counts, since time never goes back.
  std::uint64_t begin(std::uint64_t time_ns);
  // Whether words for this member are needed: it fires, is about to, or may be one of those that
  // were restored.
  bool needs_words(const RuleMember &member, Standing standing) const;
  // `why_under`: a sentence; used if it was part of an alert.
  void observe(RuleMember &member, Standing standing, Telling telling, std::string why_under,
               const Context &context);
  // Nothing new of a member, but time has passed.
  template <typename Each> void observe_again(const Each &each) {
    for (auto &[key, member] : members_) {
      member.look = look_;
      member.seen_ns = now_ns_;
      each(key, member);
    }
  }
  // What is at this address is there, and could not be read: it stays what it was.
  void observe_unread(std::uint64_t address);
  // The look is over. `is_complete`: who was not seen is gone; `why_gone` is asked of each. Else it
  // is gone when it has not been seen for long.
  template <typename WhyGone>
  void end(bool is_complete, const WhyGone &why_gone, const Context &context,
           std::vector<Finding> &findings) {
    for (auto member = members_.begin(); member != members_.end();)
      if (is_complete && member->second.look != look_)
        member = forget(member, why_gone(member->first, member->second));
      else if (now_ns_ - member->second.seen_ns >= stale_after(context))
        member = forget(member, why_stale(now_ns_ - member->second.seen_ns));
      else if (is_idle(member->second))
        member = members_.erase(member);
      else
        ++member;
    for (auto &[fingerprint, subject] : subjects_)
      if (is_complete || now_ns_ - std::min(now_ns_, subject.restored_ns) >= stale_after(context))
        subject.is_restored = false;
    judge(now_ns_, context, findings);
  }

  // An event without duration: it fires now, and is over when it was not seen again for `keep`.
  void happen(std::uint64_t time_ns, Telling telling, Seconds keep, const Context &context,
              std::vector<Finding> &findings);

  void tick(std::uint64_t now_ns, const Context &context, std::vector<Finding> &findings);
  // `keep_event`: of one that happen() told.
  void restore(const Finding &finding, std::uint64_t now_ns, std::optional<Seconds> keep_event);
  // The process has ended, and what fires stays for `keep`.
  void outlive(std::uint64_t now_ns, Seconds keep, std::string_view why);
  // Everything is over.
  void end_all(std::uint64_t now_ns, std::string_view why, const Context &context,
               std::vector<Finding> &findings);

  std::vector<Finding> firing(const Context &context) const;
  bool is_firing() const { return !subjects_.empty(); }
  std::size_t member_count() const { return members_.size(); }

private:
  struct Subject {
    Finding finding; // as it stands now; without process and labels
    double value = 0, told_value = 0;
    std::uint64_t told_maps = 0, told_ns = 0;
    Severity told_severity = Severity::warning;
    std::string told_key_file;
    std::optional<std::uint64_t> clear_since_ns; // absent: the condition holds
    std::string why_over;
    std::optional<Seconds> keep; // where it is not the rule's
    bool is_restored = false;    // and nobody has looked at all of it since
    std::uint64_t restored_ns = 0;
  };
  using Members = std::map<MemberKey, RuleMember>;

  static bool is_idle(const RuleMember &member) {
    return !member.is_kept && !member.over_since_ns && !member.subject;
  }
  Members::iterator forget(Members::iterator member, std::string why);
  static std::string why_stale(std::uint64_t unseen_ns);
  void leave(RuleMember &member, std::string why);
  AlertFingerprint choose_subject(const Telling &telling, const Context &context) const;
  void judge(std::uint64_t now_ns, const Context &context, std::vector<Finding> &findings);
  void fire_due_members(std::uint64_t now_ns, const Context &context);
  void gather(std::uint64_t now_ns, const Context &context);
  static bool is_to_be_told(const Subject &subject, std::uint64_t now_ns, const Context &context);
  void tell_changes(std::uint64_t now_ns, const Context &context, std::vector<Finding> &findings);
  Finding told(const Subject &subject, std::uint64_t now_ns, const Context &context) const;
  std::uint64_t stale_after(const Context &context) const; // of not being looked at

  Members members_;
  std::map<AlertFingerprint, Subject> subjects_; // that fire
  std::uint64_t look_ = 0;                       // counts looks
  std::uint64_t now_ns_ = 0;                     // of the look under way
  std::uint64_t last_ns_ = 0, gap_ns_ = 0;       // of looks
  std::uint64_t due_ns_ = UINT64_MAX;            // when time alone changes something
};

} // namespace mapscope
