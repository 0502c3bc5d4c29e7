// Asks each map of a census, and looks after what became of those that are missing.
#include "judge/rules/map_rules.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <type_traits>
#include <variant>

#include <fmt/format.h>

#include "base/format.h"
#include "judge/rules/map_conditions.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

template <typename Condition>
concept AboutMaps = requires(const Condition &condition, const MapQuestion &question) {
  { ask(condition, question) } -> std::same_as<MapAnswer>;
};

MemberKey key_of(const SampledMap &map) { return {map.address.value, map.seed}; }

Telling names_of(const SampledMap &map) {
  return {.type = map.type,
          .owner = map.owner,
          .site = map.site ? line_text(*map.site) : std::string{},
          .address = address_text(map.address)};
}

Telling telling_of(const SampledMap &map, double value) {
  Telling telling = names_of(map);
  telling.name = map_text(map);
  telling.value = value;
  telling.numbers = {{"entries", static_cast<double>(map.len)},
                     {"slots", static_cast<double>(map.slots)},
                     {"bytes", static_cast<double>(map.bytes)}};
  if (map.reclaimable_bytes)
    telling.numbers["reclaimable_bytes"] = static_cast<double>(*map.reclaimable_bytes);
  return telling;
}

// One census as one rule sees it.
template <AboutMaps Condition> class MapLook {
public:
  MapLook(const Condition &condition, const CensusSample &sample,
          const RuleSubjects::Context &context, RuleSubjects &subjects, MemberRoom &room)
      : condition_(condition), sample_(sample), context_(context), subjects_(subjects), room_(room),
        remembered_from_bytes_(remembered_from_bytes(context.rule)) {}

  void run(std::vector<Finding> &findings) {
    now_ns_ = subjects_.begin(sample_.time_ns);
    // The process has not run, and its maps are not told once more.
    const bool is_again = sample_.is_unchanged && sample_.maps.empty();
    if (is_again)
      subjects_.observe_again(
          [this](MemberKey key, RuleMember &member) { look_again(key, member); });
    else
      for (const SampledMap &map : sample_.maps)
        look_at(map);
    for (const ProcessAddress address : sample_.maps_unsettled)
      subjects_.observe_unread(address.value);
    subjects_.end(
        !is_again && sample_.maps_left_out == 0 && !sample_.is_partial,
        [this](MemberKey key, const RuleMember &member) { return why_gone(key, member); }, context_,
        findings);
  }

private:
  void look_at(const SampledMap &map) {
    if (map.is_unreachable)
      return; // garbage: the next collection frees it
    const MemberKey key = key_of(map);
    RuleMember *member = known(key, map);
    const auto bytes = static_cast<double>(map.bytes);
    if (!member && remembered_from_bytes_ && bytes >= *remembered_from_bytes_)
      member = subjects_.remember(key, bytes, room_.left, room_.forgotten);
    if (member)
      take_in(map, *member);
    const MapQuestion question{map, context_.rule, member ? &member->memory : nullptr};
    const MapAnswer answer = ask(condition_, question);
    if (!member && (answer.standing == Standing::over ||
                    (answer.standing != Standing::under && subjects_.has_restored())))
      member = subjects_.remember(key, bytes, room_.left, room_.forgotten);
    if (!member)
      return;
    observe(*member, question, answer);
    MemberMemory &memory = member->memory;
    memory.was_seen = true;
    memory.len = map.len;
    memory.slots = map.slots;
    memory.bytes = map.bytes;
    memory.peak_len = std::max(memory.peak_len, map.len);
    memory.type_hash = std::hash<std::string>{}(map.type);
  }

  void observe(RuleMember &member, const MapQuestion &question, const MapAnswer &answer) {
    Telling telling;
    std::string why;
    if (subjects_.needs_words(member, answer.standing)) {
      telling = answer.standing == Standing::unknown ? names_of(question.map)
                                                     : telling_of(question.map, answer.value);
      if (answer.standing != Standing::unknown)
        tell(condition_, question, telling);
    } else if (member.subject && answer.standing == Standing::under) {
      why = why_over(condition_, question);
    }
    subjects_.observe(member, answer.standing, std::move(telling), std::move(why), context_);
  }

  // The seed is drawn anew when a map is cleared, and its slots stay: it is the same map.
  RuleMember *known(MemberKey key, const SampledMap &map) {
    if (RuleMember *member = subjects_.find(key))
      return member;
    const auto other = subjects_.other_at(key);
    if (!other)
      return nullptr;
    const MemberMemory &memory = subjects_.find(*other)->memory;
    const bool is_cleared = memory.was_seen && memory.slots <= map.slots && memory.len > map.len &&
                            memory.type_hash == std::hash<std::string>{}(map.type);
    return is_cleared ? &subjects_.rename(*other, key) : nullptr;
  }

  void take_in(const SampledMap &map, RuleMember &member) {
    member.is_kept = remembered_from_bytes_.has_value() &&
                     static_cast<double>(map.bytes) >= *remembered_from_bytes_;
    if constexpr (std::is_same_v<Condition, MapGrowthRule>)
      remember_growth(condition_, member.memory, now_ns_, map.len, map.bytes);
  }

  // As at the last census: time that passes without growth ends growth.
  void look_again(MemberKey key, RuleMember &member) {
    if constexpr (std::is_same_v<Condition, MapGrowthRule>) {
      SampledMap map{.address = {key.a}, .seed = key.b};
      map.type = member.telling.type;
      map.owner = member.telling.owner;
      map.len = member.memory.len;
      map.slots = member.memory.slots;
      map.bytes = member.memory.bytes;
      remember_growth(condition_, member.memory, now_ns_, map.len, map.bytes);
      const MapQuestion question{map, context_.rule, &member.memory};
      const MapAnswer answer = ask(condition_, question);
      if (answer.standing == Standing::under)
        subjects_.observe(member, answer.standing, {}, why_over(condition_, question), context_);
    }
  }

  std::string why_gone(MemberKey key, const RuleMember &member) const {
    const std::string &owner = member.telling.owner;
    const SampledMap *other = nullptr;
    for (const SampledMap &map : sample_.maps) {
      if (key_of(map) == key)
        return "nothing leads to the map any more: the next collection frees it";
      if (!owner.empty() && map.owner == owner && map.type == member.telling.type &&
          !map.is_unreachable && !other)
        other = &map;
    }
    if (other)
      return fmt::format("the map is gone: the program made another one, of {}",
                         format_bytes(other->bytes));
    return "the map is gone, or has become too small for any rule";
  }

  const Condition &condition_;
  const CensusSample &sample_;
  const RuleSubjects::Context &context_;
  RuleSubjects &subjects_;
  MemberRoom &room_;
  std::optional<double> remembered_from_bytes_;
  std::uint64_t now_ns_ = 0;
};

} // namespace

bool is_about_maps(const RuleCondition &condition) {
  return std::visit([](const auto &kind) { return AboutMaps<std::remove_cvref_t<decltype(kind)>>; },
                    condition);
}

void judge_maps(const CensusSample &sample, const RuleSubjects::Context &context,
                RuleSubjects &subjects, MemberRoom &room, std::vector<Finding> &findings) {
  std::visit(
      [&]<typename Condition>(const Condition &condition) {
        if constexpr (AboutMaps<Condition>)
          MapLook<Condition>{condition, sample, context, subjects, room}.run(findings);
      },
      context.rule.condition);
}

} // namespace mapscope
