// Level by level: the n-th special of all spans with one read. A special that is freed and used
// again meanwhile leads astray; what is said of a map is therefore looked at a second time
// (sampled_parts.h).
#include "heap/sites/allocation_profile.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "heap/bulk_read.h"
#include "heap/sites/bucket_reader.h"
#include "heap/sites/special_lists.h"

namespace mapscope {
namespace {

// Buckets by their addresses, each once.
class BucketTable {
public:
  BucketTable(BucketReader &&reader, const ProfileLimits &limits, AllocationProfile &profile)
      : reader_(std::move(reader)), limits_(limits), profile_(profile) {}

  // Index in the profile; nothing where no bucket lies there.
  Result<std::optional<std::uint32_t>> add(std::uint64_t address) {
    if (auto known = known_.find(address); known != known_.end())
      return known->second;
    std::optional<std::uint32_t> index;
    if (profile_.buckets.size() < limits_.buckets_max)
      if (auto bucket = TRY(reader_.read(address, limits_.frames_max))) {
        index = static_cast<std::uint32_t>(profile_.buckets.size());
        profile_.buckets.push_back(std::move(bucket->bucket));
        next_.push_back(bucket->next);
      }
    known_.emplace(address, index);
    return index;
  }

  // All that follow, the newest first. False: not to the end.
  Result<bool> add_list(std::uint64_t address) {
    for (std::uint64_t left = limits_.buckets_max; address != 0; --left) {
      const auto index = left == 0 ? std::nullopt : TRY(add(address));
      if (!index)
        return false;
      address = next_[*index];
    }
    return true;
  }

private:
  BucketReader reader_;
  const ProfileLimits &limits_;
  AllocationProfile &profile_;
  std::unordered_map<std::uint64_t, std::optional<std::uint32_t>> known_;
  std::vector<std::uint64_t> next_; // by index: the next one of the list
};

} // namespace

Result<> read_profile_rate(AddressSpace &space, const BinaryFacts &facts, LoadBias bias,
                           SiteCounts &counts) {
  const ElfAddress variable = facts.variables.memory_profile_rate;
  if (variable.value == 0)
    return {};
  auto rate = read_value<std::uint64_t>(space, bias.to_process(variable).value);
  if (!rate)
    return rate.error().code() == Errc::not_found ? Result<>{} : std::unexpected(rate.error());
  constexpr std::uint64_t kRateMax = 1ULL << 46; // a sample in 64 TiB
  // Go's type is signed, and no rate below 0 takes samples.
  counts.is_rate_known = *rate <= kRateMax || *rate >> 63 != 0;
  counts.rate_bytes = *rate <= kRateMax ? *rate : 0;
  return {};
}

Result<AllocationProfile> read_allocation_profile(AddressSpace &space, const BinaryFacts &facts,
                                                  LoadBias bias, const HeapLayout &,
                                                  const SpanTable &spans,
                                                  const ProfileLimits &limits) {
  AllocationProfile profile;
  TRY(read_profile_rate(space, facts, bias, profile.counts));
  profile.counts.was_read = true;
  if (profile.counts.is_rate_known && profile.counts.rate_bytes == 0)
    return profile;
  SpecialLists lists = TRY(SpecialLists::open(space, facts, spans));
  BucketTable buckets(TRY(BucketReader::open(space, facts)), limits, profile);
  std::vector<SpecialLists::Sample> samples = TRY(lists.read_all(limits.objects_max));
  for (const SpecialLists::Sample &sample : samples) {
    const auto bucket = TRY(buckets.add(sample.bucket));
    // Of the same size, or it is another object's.
    if (bucket && profile.buckets[*bucket].object_bytes == spans.elem_bytes(sample.span))
      profile.objects.push_back({sample.object, *bucket});
  }
  std::ranges::sort(profile.objects, {}, &SampledObject::address);
  auto repeated = std::ranges::unique(profile.objects, {}, &SampledObject::address);
  profile.objects.erase(repeated.begin(), repeated.end());
  profile.counts.sampled_objects = profile.objects.size();
  if (facts.variables.memory_buckets.value != 0) {
    auto first =
        read_value<std::uint64_t>(space, bias.to_process(facts.variables.memory_buckets).value);
    if (first)
      profile.has_all_buckets = TRY(buckets.add_list(*first));
    else if (first.error().code() != Errc::not_found)
      return std::unexpected(std::move(first).error());
  }
  return profile;
}

} // namespace mapscope
