// A bucket is a header, its stack and its counters, one behind the other.
#include "heap/sites/bucket_reader.h"

#include <algorithm>
#include <utility>

#include "base/user_space.h"
#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kBlockBytes = 16 << 10;
constexpr std::size_t kBlocksMax = 256;
constexpr std::uint64_t kMemoryProfile = 1; // runtime/mprof.go, memProfile

} // namespace

Result<BucketReader::Layout> BucketReader::layout_of(const BinaryFacts &facts) {
  Layout layout;
  constexpr std::uint32_t kOffsetMax = 512;
  auto find = [&](const char *field, std::uint32_t &into) -> Result<> {
    auto offset = facts.layout.find(field);
    if (!offset || *offset > kOffsetMax)
      return fail(Errc::unsupported, "{}: where {} lies is not known", facts.path, field);
    into = *offset;
    return {};
  };
  TRY(find("runtime.bucket", layout.size));
  TRY(find("runtime.bucket.allnext", layout.next));
  TRY(find("runtime.bucket.typ", layout.kind));
  TRY(find("runtime.bucket.size", layout.object_size));
  TRY(find("runtime.bucket.nstk", layout.depth));
  TRY(find("runtime.memRecord", layout.record_size));
  constexpr std::array<std::pair<const char *, const char *>, kRecords> kFields = {{
      {"runtime.memRecord.active.allocs", "runtime.memRecord.active.frees"},
      {"runtime.memRecord.future[0].allocs", "runtime.memRecord.future[0].frees"},
      {"runtime.memRecord.future[1].allocs", "runtime.memRecord.future[1].frees"},
      {"runtime.memRecord.future[2].allocs", "runtime.memRecord.future[2].frees"},
  }};
  bool is_inside = true;
  for (std::size_t i = 0; i < kRecords; ++i) {
    TRY(find(kFields[i].first, layout.allocs[i]));
    TRY(find(kFields[i].second, layout.frees[i]));
    is_inside &= std::max(layout.allocs[i], layout.frees[i]) + 8 <= layout.record_size;
  }
  for (std::uint32_t word : {layout.next, layout.kind, layout.object_size, layout.depth})
    is_inside &= word + 8 <= layout.size;
  if (!is_inside)
    return fail(Errc::unsupported, "{}: how samples are counted is not known", facts.path);
  return layout;
}

Result<BucketReader> BucketReader::open(AddressSpace &space, const BinaryFacts &facts) {
  return BucketReader(space, TRY(layout_of(facts)));
}

Result<bool> BucketReader::copy(std::uint64_t address, std::span<std::byte> into) {
  while (!into.empty()) {
    const std::uint64_t start = address & ~(kBlockBytes - 1), skipped = address - start;
    const std::size_t size = std::min<std::size_t>(into.size(), kBlockBytes - skipped);
    if (blocks_.size() > kBlocksMax)
      blocks_.clear();
    auto [block, is_new] = blocks_.try_emplace(start);
    if (is_new) {
      block->second.resize(kBlockBytes);
      MemoryRead read{{start}, block->second};
      TRY(space_.read({&read, 1}));
      if (!read.is_read)
        block->second.clear();
    }
    if (!block->second.empty()) {
      std::ranges::copy(std::span{block->second}.subspan(skipped, size), into.begin());
    } else { // the block's end may be what is not there
      MemoryRead read{{address}, into.first(size)};
      TRY(space_.read({&read, 1}));
      if (!read.is_read)
        return false;
    }
    address += size;
    into = into.subspan(size);
  }
  return true;
}

Result<std::optional<ListedBucket>> BucketReader::read(std::uint64_t address,
                                                       std::uint64_t frames_max) {
  std::vector<std::byte> header(layout_.size);
  if (!is_user_pointer(address) || !TRY(copy(address, header)))
    return std::nullopt;
  const auto depth = load<std::uint64_t>(header, layout_.depth);
  if (load<std::uint64_t>(header, layout_.kind) != kMemoryProfile || depth == 0 ||
      depth > frames_max)
    return std::nullopt;
  ListedBucket found{.next = load<std::uint64_t>(header, layout_.next)};
  AllocationBucket &bucket = found.bucket;
  bucket.address = address;
  bucket.object_bytes = load<std::uint64_t>(header, layout_.object_size);
  bucket.stack.resize(depth);
  std::vector<std::byte> record(layout_.record_size);
  if (!TRY(copy(address + layout_.size, std::as_writable_bytes(std::span{bucket.stack}))) ||
      !TRY(copy(address + layout_.size + depth * 8, record)))
    return std::nullopt;
  for (std::size_t i = 0; i < kRecords; ++i) {
    bucket.allocs += load<std::uint64_t>(record, layout_.allocs[i]);
    bucket.frees += load<std::uint64_t>(record, layout_.frees[i]);
  }
  // The runtime counts bytes too until Go 1.26, and they are always this.
  bucket.alloc_bytes = bucket.allocs * bucket.object_bytes;
  bucket.free_bytes = bucket.frees * bucket.object_bytes;
  return found;
}

} // namespace mapscope
