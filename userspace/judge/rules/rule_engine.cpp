// The rules of the daemon; see rule_engine.h.
#include "judge/rules/rule_engine.h"

namespace mapscope {

struct RuleEngine::State {
  std::vector<Rule> rules;
  RuleEngineOptions options;
};

RuleEngine::RuleEngine(std::vector<Rule> rules, RuleEngineOptions options)
    : state_(std::make_unique<State>(State{std::move(rules), std::move(options)})) {}
RuleEngine::~RuleEngine() = default;
RuleNeeds RuleEngine::needs() const { return {}; }
void RuleEngine::restore(std::span<const Finding>) {}
std::vector<Finding> RuleEngine::take(const RuleInput &) { return {}; }
std::vector<Finding> RuleEngine::tick(std::uint64_t, bool) { return {}; }
std::vector<Finding> RuleEngine::replace_rules(std::vector<Rule> rules, std::uint64_t) {
  state_->rules = std::move(rules);
  return {};
}
RuleEngineFigures RuleEngine::figures() const { return {}; }

} // namespace mapscope
