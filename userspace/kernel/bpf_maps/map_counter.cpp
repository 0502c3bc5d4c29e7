// Counters and positions first, then keys, the smallest maps first; see map_counter.h.
#include "kernel/bpf_maps/map_counter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "kernel/bpf_maps/key_walk.h"
#include "kernel/bpf_maps/map_count_records.h"

namespace mapscope {
namespace {

// What going through a map's keys came to.
struct KeyCount {
  std::uint64_t keys = 0;   // of arrays: whose value is not zero
  std::uint64_t looked = 0; // of arrays: at how many
  bool is_complete = false;
  std::optional<double> share; // of the hash that was seen
  std::string why;             // it is not complete, a phrase
};

constexpr std::string_view kBudgetSpent = "the budget of CPU time did not suffice";

bool is_array(const BpfMapFacts &map) {
  return map.type_number == BPF_MAP_TYPE_ARRAY || map.type_number == BPF_MAP_TYPE_PERCPU_ARRAY;
}

bool is_zero(std::span<const std::byte> bytes) {
  // Each byte as the one before it, and the first is zero.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::uint64_t values_not_zero(const MapKeyPage &page) {
  const std::size_t value_bytes = page.count == 0 ? 0 : page.values.size() / page.count;
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < page.count; ++i)
    found += is_zero(page.values.subspan(i * value_bytes, value_bytes)) ? 0 : 1;
  return found;
}

std::uint64_t thread_cpu_ns() { return now_ns(CLOCK_THREAD_CPUTIME_ID); }

KeyCount count_keys_until(const BpfMapFacts &map, std::uint64_t deadline_cpu_ns) {
  KeyCount count;
  auto walk = MapKeyWalk::open(map, is_array(map));
  if (!walk)
    return {.why = walk.error().message()};
  std::uint64_t now = thread_cpu_ns();
  while (!walk->is_over()) {
    auto page = walk->next();
    if (!page)
      return {.why = page.error().message()};
    if (is_array(map) && page->count > 0 && page->values.empty())
      return {.why = "its values are too large to be read"};
    count.looked += page->count;
    count.keys += is_array(map) ? values_not_zero(*page) : page->count;
    const std::uint64_t before = std::exchange(now, thread_cpu_ns());
    // The next page will take as long as this one did.
    if (!walk->is_over() && now + (now - before) >= deadline_cpu_ns) {
      count.why = kBudgetSpent;
      count.share = walk->share();
      return count;
    }
  }
  count.is_complete = walk->stopped().empty();
  count.why = walk->stopped();
  return count;
}

// Keys fall on buckets like seeds, so that those of a share p of the buckets are binomial: of c
// keys seen there are c / p, give or take sqrt(c * (1 - p)) / p. One more than c, so that none seen
// is not taken for none there.
std::optional<BpfMapFill> sampled_fill(const BpfMapFacts &map, const KeyCount &count) {
  if (!count.share || *count.share <= 0)
    return std::nullopt;
  const double share = *count.share;
  const double entries = static_cast<double>(count.keys) / share;
  const double deviation = std::sqrt(static_cast<double>(count.keys + 1) * (1 - share)) / share;
  BpfMapFill fill = fill_with_entries(
      map,
      std::min<std::uint64_t>(static_cast<std::uint64_t>(std::llround(entries)), map.max_entries),
      BpfMethod::sampled, fmt::format("keys of {:.2g} % of the hash", share * 100));
  fill.error = static_cast<std::uint64_t>(std::ceil(2 * deviation));
  return fill;
}

BpfMapFill fill_of_keys(const BpfMapFacts &map, const KeyCount &count) {
  if (count.is_complete)
    return fill_with_entries(map, count.keys, BpfMethod::walked,
                             is_array(map) ? "values that are not all zero" : "keys gone through");
  if (auto sampled = sampled_fill(map, count))
    return *sampled;
  if (is_array(map) && count.looked > 0)
    return {.note = fmt::format("{}: of the first {} values {} are not zero", count.why,
                                count.looked, count.keys)};
  return {.note = count.why};
}

} // namespace

struct MapCounter::State {
  MapCountPrograms programs = MapCountPrograms::load();
  std::uint32_t cpu_count = static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1));
};

MapCounter::MapCounter(std::unique_ptr<State> state) : state_(std::move(state)) {}
MapCounter::MapCounter(MapCounter &&) noexcept = default;
MapCounter &MapCounter::operator=(MapCounter &&) noexcept = default;
MapCounter::~MapCounter() = default;

MapCounter MapCounter::start() { return MapCounter{std::make_unique<State>()}; }

const std::string &MapCounter::problem() const { return state_->programs.problem(); }

namespace {

// One count(): what is known without keys, then the rest.
class MapCounting {
public:
  MapCounting(std::span<const BpfMapFacts> maps, const MapCounterOptions &options)
      : maps_(maps), options_(options), begin_cpu_ns_(thread_cpu_ns()) {
    counts_.fills.resize(maps.size());
  }

  void take_records(const MapCountTable &table, std::uint32_t cpu_count) {
    for (std::size_t i = 0; i < maps_.size(); ++i) {
      const BpfMapFacts &map = maps_[i];
      const auto record = table.find(map.id);
      if (record != table.end()) {
        if (auto fill = fill_of_record(map, record->second)) {
          counts_.fills[i] = std::move(*fill);
          continue;
        }
        rough_[i] = rough_fill_of_record(map, record->second, cpu_count);
        // A hundredth of the limit is near enough for a map whose keys are too many to go through.
        if (rough_[i] && rough_[i]->error * 100 <= map.max_entries) {
          counts_.fills[i] = *rough_[i];
          continue;
        }
      }
      counts_.fills[i].note = why_no_keys(map);
      if (is_array(map) && !options_.array_values)
        counts_.fills[i].note = "an array has all its entries always";
      else if (counts_.fills[i].note.empty())
        to_walk_.push_back(i);
      else if (record != table.end() && (record->second.has & BPF_MAP_TOO_MANY_SLOTS) != 0)
        counts_.fills[i].note = "more slots than are gone through at once";
    }
  }

  // Each may use its part of what is left: what small ones leave goes to those behind them.
  void walk_keys() {
    auto bytes_of = [&](std::size_t i) {
      return std::uint64_t{maps_[i].max_entries} * (maps_[i].key_bytes + maps_[i].value_bytes);
    };
    std::ranges::stable_sort(to_walk_, {}, bytes_of);
    const std::uint64_t end = begin_cpu_ns_ + static_cast<std::uint64_t>(options_.budget.count());
    for (std::size_t done = 0; done < to_walk_.size(); ++done) {
      const std::size_t i = to_walk_[done];
      const std::uint64_t now = thread_cpu_ns();
      KeyCount count{.why = std::string{kBudgetSpent}};
      if (now < end)
        count = count_keys_until(maps_[i], now + (end - now) / (to_walk_.size() - done));
      counts_.fills[i] = fill_of_keys(maps_[i], count);
      if (!count.is_complete && rough_[i])
        counts_.fills[i] = *rough_[i];
      counts_.not_counted += !count.is_complete && count.why == kBudgetSpent ? 1 : 0;
    }
  }

  MapCounts finish() && {
    counts_.cpu_ns = thread_cpu_ns() - begin_cpu_ns_;
    return std::move(counts_);
  }

private:
  std::span<const BpfMapFacts> maps_;
  MapCounterOptions options_;
  std::uint64_t begin_cpu_ns_;
  MapCounts counts_;
  std::unordered_map<std::size_t, std::optional<BpfMapFill>> rough_; // by index
  std::vector<std::size_t> to_walk_;
};

} // namespace

MapCounts MapCounter::count(std::span<const BpfMapFacts> maps, const MapCounterOptions &options) {
  MapCounting counting{maps, options};
  counting.take_records(options.use_programs ? state_->programs.run() : MapCountTable{},
                        state_->cpu_count);
  counting.walk_keys();
  return std::move(counting).finish();
}

} // namespace mapscope
