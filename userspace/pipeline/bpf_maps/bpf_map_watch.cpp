// One look after the other; see bpf_map_watch.h.
#include "pipeline/bpf_maps/bpf_map_watch.h"

#include <algorithm>
#include <thread>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "attach/identity.h"
#include "base/clock.h"
#include "kernel/bpf_maps/map_counter.h"
#include "kernel/bpf_maps/map_facts.h"
#include "pipeline/bpf_maps/bpf_map_history.h"
#include "pipeline/bpf_maps/bpf_map_keys.h"
#include "pipeline/bpf_maps/bpf_map_rates.h"
#include "pipeline/bpf_maps/map_holders.h"

namespace mapscope {
namespace {

bool is_over(const std::atomic<bool> *stop) { return stop != nullptr && stop->load(); }

// In short steps: whoever stops us waits no longer than one.
void wait_within(std::chrono::nanoseconds window, const std::atomic<bool> *stop) {
  constexpr std::chrono::nanoseconds kStep = std::chrono::milliseconds{20};
  const auto end = std::chrono::steady_clock::now() + window;
  for (auto now = std::chrono::steady_clock::now(); now < end && !is_over(stop);
       now = std::chrono::steady_clock::now())
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, kStep));
}

class KernelBpfMapWatch final : public BpfMapWatch {
public:
  Result<BpfMapsLook> look(const BpfLookOptions &options, const std::atomic<bool> *stop) override {
    const std::uint64_t cpu_before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    MapFactsAnswer facts = TRY(find_bpf_maps({.with_holders = options.with_holders}));
    name_holders(facts, options.with_holders);
    std::optional<InnerMaps> inner_maps;
    if (options.rate_window.count() > 0)
      inner_maps = inner_maps_of(facts.maps);
    if (options.only)
      std::erase_if(facts.maps, [&](const BpfMapFacts &map) { return map.id != *options.only; });
    BpfMapsLook look{.vanished = facts.vanished, .problems = std::move(facts.problems)};
    count(facts.maps, options, look);
    add_to_history(look, !options.only);
    if (options.rate_window.count() > 0 && !is_over(stop))
      add_rates(options, inner_maps, stop, look);
    look.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
    return look;
  }

private:
  // Which maps are mapscope's own is found with their holders, and stays known without.
  void name_holders(MapFactsAnswer &facts, bool is_wanted) {
    if (is_wanted) {
      name_bpf_map_holders(facts, users_);
      own_.clear();
      for (const BpfMapFacts &map : facts.maps)
        if (map.is_own)
          own_.insert(map.id);
    } else {
      for (BpfMapFacts &map : facts.maps)
        map.is_own = map.is_own || own_.contains(map.id);
    }
  }

  void count(std::vector<BpfMapFacts> &facts, const BpfLookOptions &options, BpfMapsLook &look) {
    MapCounts counts = counter_.count(
        facts, {.budget = options.count_budget, .array_values = options.array_values});
    look.time_ns = now_ns();
    look.not_counted = counts.not_counted;
    if (!counter_.problem().empty())
      look.problems.push_back(counter_.problem());
    for (std::size_t i = 0; i < facts.size(); ++i) {
      look.maps.push_back({.facts = std::move(facts[i])});
      if (i < counts.fills.size())
        look.maps.back().fill = std::move(counts.fills[i]);
    }
  }

  void add_to_history(BpfMapsLook &look, bool is_of_all) {
    for (BpfMapSample &map : look.maps)
      map.time_to_full = history_.add(look.time_ns, map);
    if (is_of_all)
      history_.forget_others(look);
    if (history_.left_out() != 0)
      look.problems.push_back(
          fmt::format("counts of earlier looks are kept of {} maps: of {} more no growth is told",
                      BpfMapHistory::kMapsMax, history_.left_out()));
  }

  void add_rates(const BpfLookOptions &options, const std::optional<InnerMaps> &inner_maps,
                 const std::atomic<bool> *stop, BpfMapsLook &look) {
    rates_.open({.programs = options.program_rates,
                 .system_calls = options.system_rates,
                 .sample_keys_of = options.sample_keys_of});
    wait_within(options.rate_window, stop);
    const LookedUpKeys keys = rates_.close(look, inner_maps);
    for (const std::uint32_t id : options.sample_keys_of)
      if (auto map = std::ranges::find(look.maps, id, [](const auto &it) { return it.facts.id; });
          map != look.maps.end())
        map->keys = distribution_of_keys(map->facts, keys);
  }

  UserNames users_;
  std::unordered_set<std::uint32_t> own_; // ids
  MapCounter counter_ = MapCounter::start();
  BpfMapHistory history_;
  BpfMapRateWindow rates_;
};

} // namespace

Result<std::unique_ptr<BpfMapWatch>> BpfMapWatch::start() {
  // Whether ids may be asked for at all is told before anything is loaded.
  TRY(find_bpf_maps({.with_holders = false}));
  return std::make_unique<KernelBpfMapWatch>();
}

} // namespace mapscope
