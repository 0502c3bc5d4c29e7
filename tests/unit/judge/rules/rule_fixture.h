// One process under one engine, told by hand: what was found is kept in order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "judge/rules/rule_engine.h"

namespace mapscope {

inline constexpr std::uint64_t kMiB = 1 << 20;
inline constexpr std::uint64_t kSecond = 1'000'000'000;

inline ProcessIdentity server_process(std::uint32_t pid = 100) {
  return {.key = {pid, 7 * kSecond}, .exe = "/usr/bin/server", .user = "web"};
}

inline SampledMap cache_map(std::uint64_t bytes, std::uint64_t len = 1000) {
  return {.address = {0xc000010000},
          .seed = 1,
          .type = "map[string]int",
          .owner = "main.cache",
          .site = SourceFrame{"main.fill", "/src/cache.go", 12, false},
          .len = len,
          .slots = bytes / 32,
          .bytes = bytes};
}

inline SampledMap wasteful_map(std::uint64_t bytes, std::uint64_t reclaimable) {
  SampledMap map = cache_map(bytes);
  map.reclaimable_bytes = reclaimable;
  return map;
}

// Of another line and owner.
inline SampledMap other_map(SampledMap map) {
  map.address.value += 0x10000;
  map.owner = "main.other";
  map.site->line += 30;
  return map;
}

inline Rule rule_of(RuleCondition condition, Seconds hold = Seconds{0}, Seconds keep = Seconds{0}) {
  Rule rule;
  rule.name = kind_name_of(condition);
  rule.condition = std::move(condition);
  rule.hold = hold;
  rule.keep = keep;
  return rule;
}

class JudgedServer {
public:
  explicit JudgedServer(std::vector<Rule> rules, const std::vector<Finding> &restored = {})
      : engine_(std::move(rules), {.boot_id = "boot"}) {
    engine_.restore(restored);
    tell(ProcessAppeared{0, server_process()});
  }
  explicit JudgedServer(Rule rule) : JudgedServer(std::vector{std::move(rule)}) {}

  // Returns what is found now.
  std::vector<Finding> tell(const RuleInput &input) { return keep(engine_.take(input)); }
  std::vector<Finding> tick(std::uint64_t second, bool scan_complete = true) {
    return keep(engine_.tick(second * kSecond, scan_complete));
  }
  std::vector<Finding> see(std::uint64_t second, std::vector<SampledMap> maps) {
    CensusSample sample{.time_ns = second * kSecond, .process = server_process().key};
    for (const SampledMap &map : maps) {
      ++sample.map_count;
      sample.map_bytes += map.bytes;
    }
    sample.maps = std::move(maps);
    return tell(std::move(sample));
  }
  std::vector<Finding> end(std::uint64_t second) {
    return tell(ProcessEnded{second * kSecond, server_process().key});
  }

  const std::vector<Finding> &all() const { return all_; }
  std::size_t count(bool firing) const {
    return static_cast<std::size_t>(std::ranges::count(all_, firing, &Finding::is_firing));
  }
  RuleEngine &engine() { return engine_; }

private:
  std::vector<Finding> keep(std::vector<Finding> findings) {
    all_.insert(all_.end(), findings.begin(), findings.end());
    return findings;
  }

  RuleEngine engine_;
  std::vector<Finding> all_;
};

} // namespace mapscope
