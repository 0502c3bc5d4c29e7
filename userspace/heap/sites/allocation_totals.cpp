// Follows the list of all buckets, and keeps none of them.
#include "heap/sites/allocation_totals.h"

#include <algorithm>

#include "heap/bulk_read.h"
#include "heap/sites/allocation_profile.h"
#include "heap/sites/bucket_reader.h"
#include "heap/sites/sample_scale.h"

namespace mapscope {
namespace {

bool has_map_function(const AllocationBucket &bucket, const BinaryFacts &facts, LoadBias bias) {
  return std::ranges::any_of(bucket.stack, [&](std::uint64_t return_address) {
    const ElfAddress call = bias.to_elf({return_address - 1});
    return std::ranges::any_of(facts.map_ranges,
                               [&](const ElfRange &range) { return range.contains(call); }) &&
           std::ranges::any_of(facts.map_functions, [&](const FunctionRange &function) {
             return function.range.contains(call);
           });
  });
}

} // namespace

Result<std::optional<AllocationTotals>>
read_allocation_totals(AddressSpace &space, const BinaryFacts &facts, LoadBias bias) {
  constexpr std::uint64_t kBucketsMax = 1 << 16; // a program of many millions of lines has fewer
  constexpr std::uint64_t kFramesMax = 1024;
  SiteCounts counts;
  TRY(read_profile_rate(space, facts, bias, counts));
  if (!counts.is_rate_known || counts.rate_bytes == 0 || facts.variables.memory_buckets.value == 0)
    return std::nullopt;
  auto reader = BucketReader::open(space, facts);
  if (!reader)
    return std::nullopt; // the layout is not known
  auto next =
      read_value<std::uint64_t>(space, bias.to_process(facts.variables.memory_buckets).value);
  if (!next)
    return next.error().code() == Errc::not_found
               ? Result<std::optional<AllocationTotals>>{std::nullopt}
               : std::unexpected(std::move(next).error());
  AllocationTotals totals;
  std::uint64_t left = kBucketsMax;
  for (std::uint64_t address = *next; address != 0; --left) {
    const auto listed = left == 0 ? std::nullopt : TRY(reader->read(address, kFramesMax));
    if (!listed)
      return std::nullopt;
    const AllocationBucket &bucket = listed->bucket;
    const std::uint64_t bytes = scaled(bucket.allocs * bucket.object_bytes,
                                       scale_of(bucket.object_bytes, counts.rate_bytes));
    totals.bytes += bytes;
    if (has_map_function(bucket, facts, bias))
      totals.map_bytes += bytes;
    address = listed->next;
  }
  return totals;
}

} // namespace mapscope
