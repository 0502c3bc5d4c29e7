// Batches, next keys, values; see key_walk.h.
#include "kernel/bpf_maps/key_walk.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "kernel/bpf_maps/map_facts.h"

namespace mapscope {
namespace {

// A page takes a millisecond or two of a map that is cold: that is how near a budget is kept.
constexpr std::size_t kPageBytes = 64 * 1024;
// A bucket that does not fit is taken in a larger page: with an honest hash it never comes to this.
constexpr std::size_t kPageBytesMax = 16 * 1024 * 1024;
// With entries larger than this a bucket is soon more than that: key by key, then.
constexpr std::size_t kBatchedEntryBytesMax = 1024 * 1024;
constexpr std::size_t kKeysAPage = 512; // key by key: some hundred microseconds
constexpr std::uint64_t kRetriesMax = 100;
constexpr int kNotSupported = 524; // ENOTSUPP, which is the kernel's own

bool is_per_cpu(std::uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
         type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

// Those whose batches go by buckets of the hash, and tell the next one's number as cursor.
bool is_hash(std::uint32_t type) {
  return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH ||
         type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

bool has_batches(std::uint32_t type) {
  return is_hash(type) || type == BPF_MAP_TYPE_LPM_TRIE || type == BPF_MAP_TYPE_ARRAY ||
         type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

// Those that name all their slots as keys, used or not: a lookup tells.
bool has_empty_slots(std::uint32_t type) {
  switch (type) {
  case BPF_MAP_TYPE_PROG_ARRAY:
  case BPF_MAP_TYPE_ARRAY_OF_MAPS:
  case BPF_MAP_TYPE_DEVMAP:
  case BPF_MAP_TYPE_CPUMAP:
  case BPF_MAP_TYPE_SOCKMAP:
  case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
    return true;
  default:
    return false;
  }
}

} // namespace

std::string why_no_keys(const BpfMapFacts &map) {
  switch (map.type_number) {
  case BPF_MAP_TYPE_HASH:
  case BPF_MAP_TYPE_ARRAY:
  case BPF_MAP_TYPE_PROG_ARRAY:
  case BPF_MAP_TYPE_PERCPU_HASH:
  case BPF_MAP_TYPE_PERCPU_ARRAY:
  case BPF_MAP_TYPE_STACK_TRACE:
  case BPF_MAP_TYPE_LRU_HASH:
  case BPF_MAP_TYPE_LRU_PERCPU_HASH:
  case BPF_MAP_TYPE_LPM_TRIE:
  case BPF_MAP_TYPE_ARRAY_OF_MAPS:
  case BPF_MAP_TYPE_HASH_OF_MAPS:
  case BPF_MAP_TYPE_DEVMAP:
  case BPF_MAP_TYPE_CPUMAP:
  case BPF_MAP_TYPE_SOCKHASH:
  case BPF_MAP_TYPE_CGROUP_STORAGE:
  case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
  case BPF_MAP_TYPE_DEVMAP_HASH:
    return {};
  case BPF_MAP_TYPE_SOCKMAP:
  case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
    return map.value_bytes == 8 ? ""
                                : "with values of 4 bytes the kernel lets nobody look a slot up";
  case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
  case BPF_MAP_TYPE_CGROUP_ARRAY:
  case BPF_MAP_TYPE_XSKMAP:
    return "the kernel lets nobody look a slot of this type up";
  case BPF_MAP_TYPE_QUEUE:
  case BPF_MAP_TYPE_STACK:
    return "a queue or stack has no keys";
  case BPF_MAP_TYPE_RINGBUF:
  case BPF_MAP_TYPE_USER_RINGBUF:
    return "a ring buffer has no keys";
  case BPF_MAP_TYPE_BLOOM_FILTER:
    return "a Bloom filter keeps no entries, only bits";
  case BPF_MAP_TYPE_STRUCT_OPS:
    return "a struct_ops map holds one structure of functions";
  case BPF_MAP_TYPE_SK_STORAGE:
  case BPF_MAP_TYPE_INODE_STORAGE:
  case BPF_MAP_TYPE_TASK_STORAGE:
    return "its entries hang on sockets, inodes, tasks or cgroups, and can't be listed";
  default:
    break;
  }
  if (map.type_number == 32) // BPF_MAP_TYPE_CGRP_STORAGE, missing in older headers
    return "its entries hang on sockets, inodes, tasks or cgroups, and can't be listed";
  if (map.type_number == 33) // BPF_MAP_TYPE_ARENA
    return "an arena is memory, and the kernel does not count its pages";
  return "this build does not know the type";
}

Result<MapKeyWalk> MapKeyWalk::open(const BpfMapFacts &map, bool with_values) {
  if (const std::string why = why_no_keys(map); !why.empty())
    return fail(Errc::unsupported, "the keys of map {} can't be read: {}", map.id, why);
  if (map.key_bytes == 0)
    return fail(Errc::malformed, "map {} has keys of no bytes", map.id);
  MapKeyWalk walk;
  walk.fd_ = TRY(open_bpf_map(map.id));
  walk.facts_ = map;
  walk.with_values_ = with_values;
  walk.is_batched_ = has_batches(map.type_number);
  walk.value_bytes_ = map.value_bytes;
  if (is_per_cpu(map.type_number)) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
      return std::unexpected(Error::from_errno("counting possible CPUs", -cpus));
    walk.value_bytes_ = (walk.value_bytes_ + 7) / 8 * 8 * static_cast<std::size_t>(cpus);
  }
  const std::size_t entry_bytes = map.key_bytes + std::max<std::size_t>(walk.value_bytes_, 1);
  walk.keys_a_page_ = std::max<std::size_t>(kPageBytes / entry_bytes, 1);
  if (entry_bytes > kBatchedEntryBytesMax)
    walk.is_batched_ = false;
  if (walk.value_bytes_ > kPageBytesMax) // an array of one may have gigabytes
    walk.with_values_ = false;
  walk.cursor_.resize(std::max<std::size_t>(map.key_bytes, sizeof(std::uint32_t)));
  walk.next_cursor_.resize(walk.cursor_.size());
  return walk;
}

std::optional<double> MapKeyWalk::share() const {
  if (!is_batched_ || !is_hash(facts_.type_number) || facts_.max_entries == 0)
    return std::nullopt;
  if (is_over_ && stopped_.empty())
    return 1.0;
  std::uint32_t bucket = 0;
  if (has_cursor_)
    std::memcpy(&bucket, cursor_.data(), sizeof(bucket));
  const auto buckets = static_cast<double>(std::bit_ceil(std::uint64_t{facts_.max_entries}));
  return std::min(static_cast<double>(bucket) / buckets, 1.0);
}

void MapKeyWalk::stop(std::string why) {
  is_over_ = true;
  stopped_ = std::move(why);
}

Result<MapKeyPage> MapKeyWalk::next() {
  if (is_over_)
    return MapKeyPage{};
  if (!is_batched_)
    return next_keys();
  return next_batch();
}

bool MapKeyWalk::grow() {
  const std::size_t entry_bytes = facts_.key_bytes + std::max<std::size_t>(value_bytes_, 1);
  if (keys_a_page_ * 2 * entry_bytes > kPageBytesMax)
    return false;
  keys_a_page_ *= 2;
  return true;
}

Result<MapKeyPage> MapKeyWalk::next_batch() {
  keys_.resize(keys_a_page_ * facts_.key_bytes);
  values_.resize(keys_a_page_ * value_bytes_);
  auto count = static_cast<std::uint32_t>(keys_a_page_);
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  const int status =
      bpf_map_lookup_batch(fd_.get(), has_cursor_ ? cursor_.data() : nullptr, next_cursor_.data(),
                           keys_.data(), values_.data(), &count, &options);
  const int error = status < 0 ? errno : 0;
  switch (error) {
  case 0:
    break;
  case ENOENT: // the end
    is_over_ = true;
    break;
  case EINTR: // of types without hash: a key went away while it was asked for
  case EAGAIN:
  case EBUSY:
    if (++retries_ > kRetriesMax)
      stop("the map changes faster than it can be read");
    if (error != EINTR)
      return MapKeyPage{};
    break;
  case ENOSPC: // a bucket with more keys than a page
    if (!grow())
      stop("more keys than fit have the same hash");
    return MapKeyPage{};
  case EINVAL:
  case EOPNOTSUPP:
  case kNotSupported:
    if (seen_ > 0)
      return std::unexpected(Error::from_errno("reading a batch of keys", error));
    is_batched_ = false;
    return MapKeyPage{};
  default:
    return std::unexpected(
        Error::from_errno(fmt::format("reading keys of map {}", facts_.id), error));
  }
  const std::size_t got = std::min<std::size_t>(count, keys_a_page_);
  if (error != EINTR || got > 0) {
    std::swap(cursor_, next_cursor_);
    has_cursor_ = true;
  }
  seen_ += got;
  // A tree whose key went away under the reader begins anew: more than ever fit were not in it.
  if (!is_hash(facts_.type_number) && seen_ > 2 * std::uint64_t{facts_.max_entries} + kKeysAPage)
    stop("the map changes faster than it can be read");
  MapKeyPage page{.count = got, .keys = {keys_.data(), got * facts_.key_bytes}};
  if (with_values_)
    page.values = {values_.data(), got * value_bytes_};
  return page;
}

// Whether the entry is there still.
Result<bool> MapKeyWalk::take_value(std::size_t index) {
  std::byte *value = values_.data() + index * value_bytes_;
  if (bpf_map_lookup_elem(fd_.get(), cursor_.data(), value) == 0)
    return true;
  if (errno == ENOENT)
    return false;
  if (has_empty_slots(facts_.type_number))
    return std::unexpected(
        Error::from_errno(fmt::format("looking up which slots of map {} are in use", facts_.id)));
  with_values_ = false; // as of a map of sockets: the keys are what there is
  return true;
}

Result<MapKeyPage> MapKeyWalk::next_keys() {
  const std::size_t room = std::min(keys_a_page_, kKeysAPage);
  const bool is_looked_up = with_values_ || has_empty_slots(facts_.type_number);
  keys_.resize(room * facts_.key_bytes);
  values_.resize(is_looked_up ? room * value_bytes_ : 0);
  std::size_t count = 0;
  for (std::size_t step = 0; step < room; ++step) {
    if (bpf_map_get_next_key(fd_.get(), has_cursor_ ? cursor_.data() : nullptr,
                             next_cursor_.data()) < 0) {
      if (errno != ENOENT)
        return std::unexpected(Error::from_errno(fmt::format("reading keys of map {}", facts_.id)));
      is_over_ = true;
      break;
    }
    std::swap(cursor_, next_cursor_);
    // The kernel begins anew where the key that it should go on from is gone.
    if (has_cursor_ && cursor_ == first_key_) {
      stop("a key was deleted where the reader stood");
      break;
    }
    if (!has_cursor_)
      first_key_ = cursor_;
    has_cursor_ = true;
    if (++seen_ > 2 * std::uint64_t{facts_.max_entries} + (1u << 20)) {
      stop("the map changes faster than it can be read");
      break;
    }
    if (is_looked_up && (with_values_ || has_empty_slots(facts_.type_number)) &&
        !TRY(take_value(count)))
      continue;
    std::memcpy(keys_.data() + count * facts_.key_bytes, cursor_.data(), facts_.key_bytes);
    ++count;
  }
  MapKeyPage page{.count = count, .keys = {keys_.data(), count * facts_.key_bytes}};
  if (with_values_)
    page.values = {values_.data(), count * value_bytes_};
  return page;
}

} // namespace mapscope
