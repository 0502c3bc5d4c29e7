// What happens to a full map depends on its type: kernel/bpf/hashtab.c, lpm_trie.c, ringbuf.c,
// queue_stack_maps.c as of Linux 6.18; see bpf_map_advice.h.
#include "judge/bpf_map_advice.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "base/format.h"

namespace mapscope {
namespace {

constexpr double kNearlyFull = 0.9;
constexpr std::uint32_t kEntriesMin = 16; // smaller maps are made to be full
constexpr double kHardlyUsed = 0.1;
constexpr std::uint64_t kWasteMinBytes = 16U << 20;
constexpr std::string_view kNoPrealloc = "BPF_F_NO_PREALLOC";

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N> &types, std::string_view type) {
  return std::ranges::find(types, type) != types.end();
}

bool is_lru(std::string_view type) { return type == "lru_hash" || type == "lru_percpu_hash"; }

std::string when_full(const BpfMapFacts &facts) {
  static constexpr std::array<std::string_view, 5> kHashes = {"hash", "percpu_hash", "hash_of_maps",
                                                              "devmap_hash", "sockhash"};
  static constexpr std::array<std::string_view, 2> kQueues = {"queue", "stack"};
  if (is_lru(facts.type))
    return "once it is full, each new key drops an entry that was not used of late: raise "
           "max_entries if that loses what is needed";
  if (is_one_of(kHashes, facts.type))
    return "once it is full, each new key is refused (E2BIG): raise max_entries, or delete what is "
           "not needed any more";
  if (facts.type == "lpm_trie")
    return "once it is full, each new key is refused (ENOSPC): raise max_entries, or delete what "
           "is not needed any more";
  if (is_one_of(kQueues, facts.type))
    return "once it is full, what is pushed is refused (E2BIG), or with BPF_EXIST replaces the "
           "oldest: read it faster, or raise max_entries";
  if (facts.type == "ringbuf" || facts.type == "user_ringbuf")
    return "its readers don't keep up: what does not fit is refused to its writers, and mostly "
           "lost: read it faster, or raise max_entries";
  return {};
}

void add_fullness(const BpfMapSample &map, std::vector<std::string> &advice) {
  const bool is_nearly_full = map.fill.fill && *map.fill.fill >= kNearlyFull;
  if (!is_nearly_full || map.facts.max_entries < kEntriesMin)
    return;
  if (std::string text = when_full(map.facts); !text.empty())
    advice.push_back(std::move(text));
}

void add_waste(const BpfMapSample &map, std::vector<std::string> &advice) {
  const BpfMapFacts &facts = map.facts;
  const bool may_not_preallocate = facts.type == "hash" || facts.type == "percpu_hash";
  if (!may_not_preallocate && !is_lru(facts.type))
    return;
  const bool is_preallocated =
      std::ranges::find(facts.flag_names, kNoPrealloc) == facts.flag_names.end();
  const bool is_large = facts.memory_bytes.value_or(0) >= kWasteMinBytes;
  if (!is_preallocated || !is_large || !map.fill.entries || !map.fill.fill ||
      *map.fill.fill >= kHardlyUsed)
    return;
  advice.push_back(fmt::format(
      "memory for all of its {} entries is taken beforehand ({}), and {} {} used: a smaller "
      "max_entries{} would free most of it",
      format_count(facts.max_entries), format_bytes(*facts.memory_bytes),
      format_count(*map.fill.entries), *map.fill.entries == 1 ? "is" : "are",
      may_not_preallocate ? fmt::format(", or {},", kNoPrealloc) : ""));
}

void add_failures(const BpfMapSample &map, std::vector<std::string> &advice) {
  if (!map.rates || map.rates->insert_failures.empty())
    return;
  std::uint64_t failed = 0;
  std::string causes;
  for (const auto &[name, count] : map.rates->insert_failures) {
    failed += count;
    causes += fmt::format("{}{} {}", causes.empty() ? "" : ", ", name, format_count(count));
  }
  advice.push_back(fmt::format("{} failed in {}: {}", format_counted(failed, "update"),
                               format_duration(map.rates->window_ns), causes));
}

} // namespace

std::vector<std::string> advice_for(const BpfMapSample &map) {
  std::vector<std::string> advice;
  add_failures(map, advice);
  add_fullness(map, advice);
  add_waste(map, advice);
  return advice;
}

} // namespace mapscope
