// A stack is told by its runtime's frames, from the allocation outwards to the first of user code:
// they say what the map was doing.
#include "heap/sites/map_sites.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "go/function_names.h"
#include "heap/sites/sample_scale.h"

namespace mapscope {
namespace {

// What one stack of the profile says.
struct StackMeaning {
  SourceFrames stack;
  std::optional<SourceFrame> site; // none: no user code, or no map operation above it
  SiteKind kind = SiteKind::created;
};

StackMeaning meaning_of(SourceFrames &&stack) {
  StackMeaning meaning{.stack = std::move(stack)};
  bool is_created = false, has_grown = false;
  for (const SourceFrame &frame : meaning.stack) {
    if (!is_runtime_function(frame.function)) {
      if (is_created || has_grown)
        meaning.site = frame;
      break;
    }
    const std::string_view operation = operation_of_function(frame.function).value_or("");
    is_created |= operation == "creation" || operation == "copy";
    has_grown |= operation == "growth" || operation == "write" || operation == "prune";
  }
  // What a copy grows, it makes.
  meaning.kind = is_created ? SiteKind::created : SiteKind::grew;
  return meaning;
}

// The profile has an entry for each logical frame, so of each address the innermost one counts.
Result<std::vector<StackMeaning>> name_stacks(const AllocationProfile &profile,
                                              const BinaryFacts &facts, LoadBias bias,
                                              Symbolizer &symbolizer) {
  std::vector<ElfAddress> calls;
  auto call_of = [&](std::uint64_t return_address) { return bias.to_elf({return_address - 1}); };
  for (const AllocationBucket &bucket : profile.buckets)
    for (std::uint64_t return_address : bucket.stack)
      if (facts.text.contains(call_of(return_address)))
        calls.push_back(call_of(return_address));
  std::ranges::sort(calls);
  calls.erase(std::ranges::unique(calls).begin(), calls.end());
  std::vector<SourceFrames> frames = TRY(symbolizer.symbolize(calls));
  frames.resize(calls.size());
  std::vector<StackMeaning> meanings;
  for (const AllocationBucket &bucket : profile.buckets) {
    SourceFrames stack;
    for (std::uint64_t return_address : bucket.stack) {
      const auto call = std::ranges::lower_bound(calls, call_of(return_address));
      if (call == calls.end() || *call != call_of(return_address))
        continue;
      const SourceFrames &logical = frames[static_cast<std::size_t>(call - calls.begin())];
      if (!logical.empty())
        stack.push_back(logical.front());
    }
    meanings.push_back(meaning_of(std::move(stack)));
  }
  return meanings;
}

void count(std::vector<SiteShare> &shares, const StackMeaning &meaning) {
  const auto known = std::ranges::find_if(shares, [&](const SiteShare &share) {
    return share.kind == meaning.kind && share.frame == *meaning.site;
  });
  if (known == shares.end())
    shares.push_back({.frame = *meaning.site, .kind = meaning.kind, .samples = 1});
  else
    ++known->samples;
}

template <typename Key> void sort_shares(std::map<Key, std::vector<SiteShare>> &sites) {
  for (auto &[key, shares] : sites)
    std::ranges::stable_sort(shares, std::greater{}, &SiteShare::samples);
}

void add_use(SiteUse &use, const AllocationBucket &bucket, std::uint64_t rate) {
  // Frees of the last cycle may be counted before what was allocated.
  const std::uint64_t in_use = bucket.allocs > bucket.frees ? bucket.allocs - bucket.frees : 0;
  const double scale = scale_of(bucket.object_bytes, rate);
  use.in_use_objects += scaled(in_use, scale);
  use.in_use_bytes += scaled(in_use * bucket.object_bytes, scale);
  use.allocated_objects += scaled(bucket.allocs, scale);
  use.allocated_bytes += scaled(bucket.allocs * bucket.object_bytes, scale);
  use.samples += in_use;
}

// Objects of several sizes that one stack allocated are one use.
std::vector<SiteUse> uses_of(const AllocationProfile &profile,
                             const std::vector<StackMeaning> &meanings) {
  std::map<std::vector<std::uint64_t>, SiteUse> by_stack;
  for (std::size_t i = 0; i < profile.buckets.size(); ++i) {
    if (!meanings[i].site)
      continue;
    const AllocationBucket &bucket = profile.buckets[i];
    auto [use, is_new] = by_stack.try_emplace(bucket.stack);
    if (is_new) {
      use->second.frame = *meanings[i].site;
      use->second.stack = meanings[i].stack;
    }
    add_use(use->second, bucket, profile.counts.is_rate_known ? profile.counts.rate_bytes : 1);
  }
  std::vector<SiteUse> uses;
  for (auto &[stack, use] : by_stack)
    uses.push_back(std::move(use));
  std::ranges::stable_sort(uses, [](const SiteUse &left, const SiteUse &right) {
    return std::pair{left.in_use_bytes, left.allocated_bytes} >
           std::pair{right.in_use_bytes, right.allocated_bytes};
  });
  return uses;
}

} // namespace

Result<MapSites> MapSites::make(const AllocationProfile &profile,
                                std::span<const MapPartSample> samples,
                                const std::function<SitePattern(std::uint64_t)> &pattern_of,
                                const BinaryFacts &facts, LoadBias bias, Symbolizer &symbolizer) {
  MapSites sites;
  if (profile.buckets.empty())
    return sites;
  const std::vector<StackMeaning> meanings = TRY(name_stacks(profile, facts, bias, symbolizer));
  for (const MapPartSample &sample : samples) {
    const StackMeaning &meaning = meanings[sample.bucket];
    if (!meaning.site) // whoever allocated it, no map did
      continue;
    count(sites.by_map_[sample.map], meaning);
    if (const SitePattern pattern = pattern_of(sample.map); pattern.is_known())
      count(sites.by_pattern_[pattern], meaning);
  }
  sort_shares(sites.by_map_);
  sort_shares(sites.by_pattern_);
  sites.uses_ = uses_of(profile, meanings);
  return sites;
}

MapSite MapSites::of(std::uint64_t map, SitePattern pattern) const {
  if (auto own = by_map_.find(map); own != by_map_.end())
    return {.shares = own->second};
  if (!pattern.is_known())
    return {};
  if (auto alike = by_pattern_.find(pattern); alike != by_pattern_.end())
    return {.shares = alike->second, .is_of_pattern = true};
  return {};
}

} // namespace mapscope
