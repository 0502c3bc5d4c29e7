// A file of samples from anywhere: read, written again, and judged by every kind of rule. The
// seeds are lines of tests/unit/judge/rules/samples/.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "judge/rules/rule_engine.h"
#include "wire/samples_json.h"

using namespace mapscope;

namespace {

template <std::size_t... Kinds>
std::vector<Rule> rules_of_kinds(std::index_sequence<Kinds...> /*kinds*/) {
  std::vector<Rule> rules;
  (rules.push_back({.name = std::string{kRuleKindNames[Kinds]},
                    .condition = std::variant_alternative_t<Kinds, RuleCondition>{},
                    .hold = Seconds{Kinds % 2 * 60},
                    .keep = Seconds{Kinds % 3 * 60}}),
   ...);
  for (Rule &rule : rules)
    if (auto *growth = std::get_if<MapGrowthRule>(&rule.condition)) {
      growth->bytes_per_minute = 1;
      growth->censuses_in_a_row = 2;
    }
  return rules;
}

// What fires and what is over take turns.
void check(const std::vector<Finding> &findings) {
  for (const Finding &finding : findings)
    if (finding.fingerprint.size() != 32 || finding.summary.empty() ||
        finding.resolution.empty() != finding.is_firing)
      std::abort();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(samples_fuzz, data, size_bytes) {
  const auto inputs =
      samples_from_text({reinterpret_cast<const char *>(data), size_bytes},
                        {.line_bytes = 1 << 20, .line_count = 1000, .list_length = 1000});
  if (!inputs)
    return 0;
  RuleEngine engine{rules_of_kinds(std::make_index_sequence<kRuleKindNames.size()>{}),
                    {.boot_id = "fuzz", .subjects_max = 100}};
  for (const RuleInput &input : *inputs) {
    const std::string line = sample_to_line(input);
    if (auto again = sample_from_line(line); !again || sample_to_line(*again) != line)
      std::abort();
    check(engine.take(input));
    const std::uint64_t time_ns = std::visit([](const auto &one) { return one.time_ns; }, input);
    check(engine.tick(time_ns, true));
    check(engine.tick(time_ns + 60'000'000'000, false));
  }
  check(engine.replace_rules({}, 1));
  return 0;
}
