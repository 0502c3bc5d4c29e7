// What the kernel's alloc_check functions refuse; see bpf_map_types.h for their sources.
#include "vet/bpf_shape_rules.h"

#include <bit>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/format.h"

namespace mapscope {
namespace {

constexpr std::string_view kFlagsRule = "bpf-bad-flags", kSizeRule = "bpf-wrong-size";
constexpr std::uint32_t kPage = 4096;
// PCPU_MIN_UNIT_SIZE: the largest piece of per-CPU memory.
constexpr std::uint32_t kPerCpuValueMax = 32 << 10;

bool is_lru(BpfMapType type) {
  return type == BpfMapType::lru_hash || type == BpfMapType::lru_percpu_hash;
}

void require_flag(BpfMapCheck &check, std::string_view type, std::uint32_t flag) {
  if ((check.map().flags & flag) != 0)
    return;
  const std::string_view name = lowest_bpf_flag_name(flag);
  check.add(kFlagsRule, VetLevel::error,
            fmt::format("the kernel makes no {} without {}", type, name),
            fmt::format("Write __uint(map_flags, {}).", name));
}

// Two flags that exclude each other.
void refuse_both(BpfMapCheck &check, std::uint32_t one, std::uint32_t other) {
  if ((check.map().flags & one) != 0 && (check.map().flags & other) != 0)
    check.add(kFlagsRule, VetLevel::error,
              fmt::format("has both {} and {}, which the kernel refuses", lowest_bpf_flag_name(one),
                          lowest_bpf_flag_name(other)),
              "Keep one of them.");
}

// "4 or 8 bytes"
std::string allowed_sizes(std::uint32_t rule) {
  std::string text;
  auto add = [&](std::uint32_t bit, std::string_view size) {
    if ((rule & bit) != 0)
      text += (text.empty() ? "" : " or ") + std::string{size};
  };
  add(kSizeNone, "0");
  add(kSizeFour, "4");
  add(kSizeEight, "8");
  add(kSizeSixteen, "16");
  add(kSizeAboveZero, "more than 0");
  return text + " bytes";
}

bool is_allowed(std::uint32_t rule, std::uint32_t size) {
  return (rule & kSizeAny) != 0 || ((rule & kSizeNone) != 0 && size == 0) ||
         ((rule & kSizeFour) != 0 && size == 4) || ((rule & kSizeEight) != 0 && size == 8) ||
         ((rule & kSizeSixteen) != 0 && size == 16) || ((rule & kSizeAboveZero) != 0 && size != 0);
}

void check_size(BpfMapCheck &check, const BpfMapTraits &traits, std::string_view what,
                std::uint32_t rule, std::optional<std::uint32_t> size) {
  if (is_allowed(rule, size.value_or(0)))
    return;
  const std::string declared =
      size ? fmt::format("has a {} of {} bytes", what, *size) : fmt::format("has no {}", what);
  check.add(
      kSizeRule, VetLevel::error,
      fmt::format("{}; the kernel wants {} for {}", declared, allowed_sizes(rule), traits.name),
      rule == kSizeNone ? fmt::format("Leave the {} out.", what)
                        : fmt::format("Declare a {} of {}, with __type({}, ...).", what,
                                      allowed_sizes(rule), what));
}

void check_ring(BpfMapCheck &check, const BpfMapTraits &traits) {
  const std::uint32_t bytes = check.map().max_entries.value_or(0);
  if (bytes == 0 || (std::has_single_bit(bytes) && bytes % kPage == 0))
    return;
  const std::uint64_t rounded = std::bit_ceil(std::max<std::uint64_t>(bytes, kPage));
  if (rounded > 1U << 31) {
    check.add(kSizeRule, VetLevel::error,
              fmt::format("{} bytes are more than a {} can have", format_count(bytes), traits.name),
              "Write __uint(max_entries, 256 * 1024), or what a burst needs.");
    return;
  }
  // libbpf since 0.8 (adjust_ringbuf_sz), so it may well load.
  check.add(kSizeRule, VetLevel::warning,
            fmt::format("{} bytes are no power of two that is a multiple of the page size: the "
                        "kernel refuses them, unless the loader rounds up as libbpf 0.8 and newer "
                        "do",
                        format_count(bytes)),
            fmt::format("Write __uint(max_entries, {}), in bytes.", rounded));
}

void check_trie(BpfMapCheck &check) {
  const std::uint32_t key = check.map().key_bytes.value_or(0);
  if (key != 0 && (key < 5 || key > 260))
    check.add(kSizeRule, VetLevel::error,
              fmt::format("a key of {} bytes; that of an lpm_trie is a prefix length of 4 bytes "
                          "and data of 1 to 256",
                          key),
              "Use struct bpf_lpm_trie_key_u8 with the bytes of an address behind it.");
}

void check_stack_trace(BpfMapCheck &check) {
  const std::uint32_t value = check.map().value_bytes.value_or(0);
  const std::uint32_t frame = (check.map().flags & kBpfStackBuildId) != 0 ? 32 : 8;
  if (value != 0 && value % frame != 0)
    check.add(
        kSizeRule, VetLevel::error,
        fmt::format("a value of {} bytes is no multiple of the {} bytes of a frame", value, frame),
        fmt::format("Write __uint(value_size, {} * frames).", frame));
}

} // namespace

void check_bpf_flags(BpfMapCheck &check, const BpfMapTraits &traits) {
  const BpfDeclaredMap &map = check.map();
  const BpfMapType type = check.type();
  // The kernel takes other flags for the data sections that loaders make maps of.
  if (map.definition == BpfMapDefinition::global_data)
    return;
  for (std::uint32_t refused = map.flags & kBpfJudgedFlags & ~traits.flags; refused != 0;
       refused &= refused - 1) {
    const std::uint32_t flag = refused & ~(refused - 1);
    const bool would_preallocate = is_lru(type) && flag == kBpfNoPreallocation;
    check.add(kFlagsRule, VetLevel::error,
              fmt::format("has {}, which the kernel refuses for {}{}", lowest_bpf_flag_name(flag),
                          traits.name,
                          would_preallocate ? ": LRU maps are always preallocated" : ""),
              fmt::format("Take {} out of map_flags.", lowest_bpf_flag_name(flag)));
  }
  refuse_both(check, kBpfReadOnly, kBpfWriteOnly);
  refuse_both(check, kBpfReadOnlyProgram, kBpfWriteOnlyProgram);
  const bool is_storage = type == BpfMapType::sk_storage || type == BpfMapType::inode_storage ||
                          type == BpfMapType::task_storage ||
                          type == BpfMapType::cgroup_local_storage;
  if (type == BpfMapType::lpm_trie || is_storage)
    require_flag(check, traits.name, kBpfNoPreallocation);
  if (type == BpfMapType::arena)
    require_flag(check, traits.name, kBpfMappable);
}

void check_bpf_sizes(BpfMapCheck &check, const BpfMapTraits &traits) {
  const BpfDeclaredMap &map = check.map();
  check_size(check, traits, "key", traits.key, map.key_bytes);
  const bool is_ring = check.type() == BpfMapType::ring_buffer ||
                       check.type() == BpfMapType::user_ring_buffer ||
                       check.type() == BpfMapType::perf_event_array;
  // The type of what is sent through it, for tools that make code of it.
  if (is_ring && map.value_type && !is_allowed(traits.value, *map.value_bytes))
    check.add(kSizeRule, VetLevel::note,
              fmt::format("has values of type {}, which the kernel refuses for a {}: cilium/ebpf "
                          "leaves them out when it loads the map, libbpf does not",
                          map.value_type->name, traits.name),
              "Leave the value out, or load it with cilium/ebpf only.");
  // A loader writes the value of program arrays, where `values` names functions.
  else if (map.value_bytes || check.type() != BpfMapType::program_array)
    check_size(check, traits, "value", traits.value, map.value_bytes);
  if (traits.entries == BpfEntriesRule::zero && map.max_entries.value_or(0) != 0)
    check.add(kSizeRule, VetLevel::error,
              fmt::format("max_entries is {}, but the kernel makes no {} with a limit",
                          format_count(*map.max_entries), traits.name),
              "Leave max_entries out.");
  switch (check.type()) {
  case BpfMapType::ring_buffer:
  case BpfMapType::user_ring_buffer:
    return check_ring(check, traits);
  case BpfMapType::lpm_trie:
    return check_trie(check);
  case BpfMapType::stack_trace:
    return check_stack_trace(check);
  case BpfMapType::percpu_hash:
  case BpfMapType::percpu_array:
  case BpfMapType::lru_percpu_hash:
    if (map.value_bytes.value_or(0) > kPerCpuValueMax)
      check.add(kSizeRule, VetLevel::error,
                fmt::format("a value of {} for each CPU; the kernel's per-CPU memory comes in "
                            "pieces of at most {}",
                            format_bytes(*map.value_bytes), format_bytes(kPerCpuValueMax)),
                "Keep the value in an array or hash, or split it.");
    return;
  default:
    return;
  }
}

} // namespace mapscope
