// The keys of every kind of rule; see rule_fields.h.
#include "config/rule_fields.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <utility>
#include <variant>

#include "config/values.h"

namespace mapscope::configuration {
namespace {

using namespace std::chrono_literals;

constexpr auto kWindowMax = 24h;
constexpr auto kHoldMax = 7 * 24h;

ConfigValue<std::uint64_t> bytes() { return size(0, UINT64_MAX); }
ConfigValue<std::uint64_t> entries() { return count<std::uint64_t>(1, UINT64_MAX); }
ConfigValue<double> part() { return share(0, 1); }

ConfigFields<MapWasteRule> fields_of(MapWasteRule *) {
  return {field("min_reclaimable_bytes", &MapWasteRule::min_reclaimable_bytes, bytes()),
          field("min_share", &MapWasteRule::min_share, part())};
}
ConfigFields<MapFillRule> fields_of(MapFillRule *) {
  return {field("max_fill", &MapFillRule::max_fill, part()),
          field("min_bytes", &MapFillRule::min_bytes, bytes())};
}
ConfigFields<MapEntriesRule> fields_of(MapEntriesRule *) {
  return {field("max_entries", &MapEntriesRule::max_entries, entries())};
}
ConfigFields<MapBytesRule> fields_of(MapBytesRule *) {
  return {field("max_bytes", &MapBytesRule::max_bytes, size(1, UINT64_MAX))};
}
ConfigFields<MapGrowthRule> fields_of(MapGrowthRule *) {
  using R = MapGrowthRule;
  return {field("bytes_per_minute", &R::bytes_per_minute, optional_of(size(1, UINT64_MAX))),
          field("entries_per_minute", &R::entries_per_minute, optional_of(entries())),
          field("window", &R::window, seconds(1s, kWindowMax)),
          field("censuses_in_a_row", &R::censuses_in_a_row,
                optional_of(count<std::uint32_t>(2, 10'000))),
          field("min_bytes", &R::min_bytes, bytes())};
}
ConfigFields<MapEmptiedRule> fields_of(MapEmptiedRule *) {
  return {field("max_share_of_peak", &MapEmptiedRule::max_share_of_peak, part()),
          field("min_bytes", &MapEmptiedRule::min_bytes, bytes())};
}
ConfigFields<MapRehashStormRule> fields_of(MapRehashStormRule *) {
  return {field("growths_per_minute", &MapRehashStormRule::growths_per_minute, number(1))};
}
ConfigFields<MapChurnRule> fields_of(MapChurnRule *) {
  return {field("maps_per_second", &MapChurnRule::maps_per_second, number(1))};
}
ConfigFields<MapShareRule> fields_of(MapShareRule *) {
  return {field("max_share", &MapShareRule::max_share, part()),
          field("min_bytes", &MapShareRule::min_bytes, bytes())};
}
ConfigFields<HeapGrowthRule> fields_of(HeapGrowthRule *) {
  using R = HeapGrowthRule;
  return {field("bytes_per_minute", &R::bytes_per_minute, size(1, UINT64_MAX)),
          field("min_map_share", &R::min_map_share, part()),
          field("window", &R::window, seconds(1s, kWindowMax))};
}
ConfigFields<AllocsMinusFreesRule> fields_of(AllocsMinusFreesRule *) {
  using R = AllocsMinusFreesRule;
  return {field("min_live_objects", &R::min_live_objects, entries()),
          field("window", &R::window, seconds(1s, kWindowMax))};
}
ConfigFields<MemoryLimitRule> fields_of(MemoryLimitRule *) {
  return {field("max_share", &MemoryLimitRule::max_share, part())};
}
ConfigFields<MapMisuseRule> fields_of(MapMisuseRule *) { return {}; }
ConfigFields<FileIoRule> fields_of(FileIoRule *) { return {}; }

// Of rules about the kernel's maps.
template <typename R> ConfigFields<R> which_maps() {
  return {field("maps", &R::maps, globs("\"cilium_ct*\"")),
          field("types", &R::types, globs("lru_hash"))};
}
ConfigFields<BpfFillRule> fields_of(BpfFillRule *) {
  using R = BpfFillRule;
  return joined<R>({field("max_fill", &R::max_fill, part()),
                    field("full_within", &R::full_within, seconds(1s, kHoldMax, ZeroMeans::never)),
                    field("min_fill", &R::min_fill, part()),
                    field("min_entries", &R::min_entries, count<std::uint32_t>(0, UINT32_MAX))},
                   which_maps<R>());
}
ConfigFields<BpfLookupsRule> fields_of(BpfLookupsRule *) {
  using R = BpfLookupsRule;
  return joined<R>({field("lookups_per_second", &R::lookups_per_second, number(1))},
                   which_maps<R>());
}
ConfigFields<BpfUnboundedRule> fields_of(BpfUnboundedRule *) {
  using R = BpfUnboundedRule;
  return joined<R>({field("max_declared_bytes", &R::max_declared_bytes, size(1, UINT64_MAX))},
                   which_maps<R>());
}
ConfigFields<BpfInsertFailuresRule> fields_of(BpfInsertFailuresRule *) {
  using R = BpfInsertFailuresRule;
  return joined<R>({field("failures_per_minute", &R::failures_per_minute, number(1))},
                   which_maps<R>());
}

// One kind of rule: its defaults, and its thresholds as keys of the rule itself.
struct RuleKind {
  RuleCondition defaults;
  ConfigFields<Rule> thresholds;
};

template <typename Condition> RuleKind kind_of() {
  return {Condition{},
          lift<Rule>(fields_of(static_cast<Condition *>(nullptr)),
                     [](auto &rule) -> auto & { return std::get<Condition>(rule.condition); })};
}

template <std::size_t... Index> std::vector<RuleKind> kinds(std::index_sequence<Index...>) {
  return {kind_of<std::variant_alternative_t<Index, RuleCondition>>()...};
}

// By RuleCondition::index().
std::vector<RuleKind> all_kinds() {
  return kinds(std::make_index_sequence<std::variant_size_v<RuleCondition>>{});
}

std::vector<std::string> kind_words() { return {kRuleKindNames.begin(), kRuleKindNames.end()}; }

ConfigValue<RuleCondition> kind_word() {
  const ConfigValue<std::string> one = word(kind_words());
  return {.expected = one.expected,
          // read_kind() has taken it, since it decides which other keys there are.
          .read = [](const ConfigPlace &, RuleCondition &) {},
          .write =
              [](const RuleCondition &condition) {
                return scalar_node(std::string{kind_name_of(condition)});
              }};
}

ConfigValue<Severity> severity() {
  const std::vector<std::string> words{kSeverityNames.begin(), kSeverityNames.end()};
  const ConfigValue<std::string> one = word(words);
  return {.expected = one.expected,
          .read =
              [one, words](const ConfigPlace &place, Severity &value) {
                std::string read{kSeverityNames[static_cast<std::size_t>(value)]};
                one.read(place, read);
                value = static_cast<Severity>(std::ranges::find(words, read) - words.begin());
              },
          .write =
              [words](const Severity &value) {
                return scalar_node(words[static_cast<std::size_t>(value)]);
              }};
}

// The keys that every rule has, with the thresholds of its kind among them.
ConfigFields<Rule> fields_with(const ConfigFields<Rule> &thresholds) {
  ConfigFields<Rule> first = {required(field("name", &Rule::name, name())),
                              field("kind", &Rule::condition, kind_word())};
  ConfigFields<Rule> last = {
      field("severity", &Rule::severity, severity()),
      field("hold", &Rule::hold, seconds(0s, kHoldMax)),
      field("keep", &Rule::keep, seconds(0s, kHoldMax)),
      field("hysteresis", &Rule::hysteresis, share(0, 0.9)),
      field("labels", &Rule::labels, labels()),
      field("only", &Rule::only, selector()),
  };
  return joined(joined(std::move(first), thresholds), last);
}

// A rule that is being read, and whether it is in force: what "enabled" says.
struct RuleEntry {
  Rule rule;
  bool is_enabled = true;
};

ConfigFields<RuleEntry> entry_fields(const ConfigFields<Rule> &of_rule) {
  return joined(lift<RuleEntry>(of_rule, [](auto &entry) -> auto & { return entry.rule; }),
                {field("enabled", &RuleEntry::is_enabled, boolean())});
}

void check_growth(const Rule &rule, const ConfigPlace &place) {
  const auto *growth = std::get_if<MapGrowthRule>(&rule.condition);
  if (growth != nullptr && !growth->bytes_per_minute && !growth->entries_per_minute &&
      !growth->censuses_in_a_row)
    place.wrong("never speaks; expected bytes_per_minute, entries_per_minute or "
                "censuses_in_a_row");
}

void check_only(const Rule &rule, const ConfigPlace &place) {
  const bool is_about_bpf =
      std::visit([](const auto &kind) { return requires { kind.types; }; }, rule.condition);
  const YamlEntry *only = find_entry(place.node, "only");
  if (is_about_bpf && !rule.only.empty())
    place.problems.add(only != nullptr ? only->value.mark : place.node.mark,
                       path_below(place.path, "only"),
                       "the kernel's maps are of no process; expected maps or types, with globs on "
                       "their names and types");
}

class RuleListReader {
public:
  RuleListReader(const ConfigPlace &place, std::vector<Rule> &rules)
      : place_(place), rules_(rules), kinds_(all_kinds()) {
    for (const Rule &rule : rules)
      defaults_.push_back(rule.name);
  }

  void read() {
    for (std::size_t i = 0; i < place_.node.items.size(); ++i) {
      const YamlNode &node = place_.node.items[i];
      const ConfigPlace item{node, fmt::format("{}[{}]", place_.path, i), place_.problems};
      if (node.kind == YamlKind::map)
        read_rule(item);
      else
        item.wrong(fmt::format("{}; expected a map with name and kind", name_of(node.kind)));
    }
  }

private:
  void read_rule(const ConfigPlace &item) {
    const YamlEntry *name = find_entry(item.node, "name");
    if (name != nullptr && !names_.insert(name->value.text).second)
      return item.problems.add(name->value.mark, path_below(item.path, "name"),
                               fmt::format("{} stands here twice; expected a name of its own",
                                           in_quotes(name->value.text)));
    const auto base = std::ranges::find_if(rules_, [&](const Rule &rule) {
      return name != nullptr && rule.name == name->value.text &&
             std::ranges::find(defaults_, rule.name) != defaults_.end();
    });
    RuleEntry entry{.rule = base != rules_.end() ? *base : Rule{}, .is_enabled = true};
    if (!read_kind(item, base != rules_.end(), entry.rule))
      return;
    const RuleKind &kind = kinds_[entry.rule.condition.index()];
    read_fields(item, entry_fields(fields_with(kind.thresholds)), entry);
    check_growth(entry.rule, item);
    check_only(entry.rule, item);
    put(base, std::move(entry));
  }

  // Which keys there are depends on it, so it comes first.
  bool read_kind(const ConfigPlace &item, bool is_default, Rule &rule) {
    const YamlEntry *kind = find_entry(item.node, "kind");
    if (kind == nullptr) {
      if (!is_default)
        item.problems.add(item.node.mark, path_below(item.path, "kind"), missing_kind(item.node));
      return is_default;
    }
    std::string read{kind_name_of(rule.condition)};
    const ConfigPlace place{kind->value, path_below(item.path, "kind"), item.problems};
    const ConfigValue<std::string> one = word(kind_words());
    read.clear();
    one.read(place, read);
    const auto found = std::ranges::find(kRuleKindNames, read);
    if (found == kRuleKindNames.end())
      return false;
    const auto index = static_cast<std::size_t>(found - kRuleKindNames.begin());
    if (!is_default || index != rule.condition.index())
      rule = Rule{.name = rule.name, .condition = kinds_[index].defaults};
    return true;
  }

  std::string missing_kind(const YamlNode &node) const {
    const YamlEntry *name = find_entry(node, "name");
    const std::string nearest = name != nullptr ? did_you_mean(name->value.text, defaults_) : "";
    return fmt::format("is missing, and no default rule has that name{}; expected one of {}",
                       nearest, listed(kind_words()));
  }

  void put(std::vector<Rule>::iterator base, RuleEntry entry) {
    if (base != rules_.end() && entry.is_enabled)
      *base = std::move(entry.rule);
    else if (base != rules_.end())
      rules_.erase(base);
    else if (entry.is_enabled)
      rules_.push_back(std::move(entry.rule));
  }

  const ConfigPlace &place_;
  std::vector<Rule> &rules_;
  std::vector<RuleKind> kinds_;
  std::vector<std::string> defaults_;
  std::set<std::string> names_; // that the file has had
};

std::vector<ConfigKey> all_rule_keys() {
  ConfigFields<Rule> thresholds;
  for (const RuleKind &kind : all_kinds())
    thresholds = joined(std::move(thresholds), kind.thresholds);
  std::vector<ConfigKey> keys = all_keys_of(entry_fields(fields_with(thresholds)));
  for (ConfigKey &key : keys)
    key.path = "[]." + key.path;
  return keys;
}

} // namespace

ConfigValue<std::vector<Rule>> rule_list() {
  const std::string expected = "a list of rules, each a map with name and kind";
  return {.expected = expected,
          .read =
              [expected](const ConfigPlace &place, std::vector<Rule> &rules) {
                if (place.node.kind == YamlKind::empty)
                  return;
                if (place.node.kind != YamlKind::list)
                  return place.wrong(
                      fmt::format("{}; expected {}", name_of(place.node.kind), expected));
                if (place.node.items.size() > kRulesMax)
                  return place.wrong(fmt::format("{} rules; expected at most {}",
                                                 place.node.items.size(), kRulesMax));
                RuleListReader{place, rules}.read();
              },
          .write =
              [](const std::vector<Rule> &rules) {
                const std::vector<RuleKind> kinds = all_kinds();
                YamlNode node{.kind = YamlKind::list};
                for (const Rule &rule : rules)
                  node.items.push_back(
                      write_fields(fields_with(kinds[rule.condition.index()].thresholds), rule));
                return node;
              },
          .keys_below = all_rule_keys()};
}

} // namespace mapscope::configuration
