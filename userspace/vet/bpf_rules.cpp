// The rules on how many entries, how much memory, and what is lost; see docs/vet.md.
#include "vet/bpf_rules.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "base/format.h"
#include "vet/bpf_map_check.h"
#include "vet/bpf_map_memory.h"
#include "vet/bpf_shape_rules.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kWarnDivisor = 4;           // of max_bytes: from here on a warning
constexpr std::uint64_t kPreallocationDivisor = 16; // and from here on a note
// Below this a preallocated hash is no matter, whatever is declared of it.
constexpr std::uint64_t kSmallBytes = 64 << 10;

bool is_lru(const BpfDeclaredMap &map) {
  const auto type = static_cast<BpfMapType>(map.type_number.value_or(0));
  return type == BpfMapType::lru_hash || type == BpfMapType::lru_percpu_hash;
}

std::string bytes_text(std::uint64_t bytes) {
  return bytes == std::numeric_limits<std::uint64_t>::max() ? "more than 16 EiB"
                                                            : format_bytes(bytes);
}

// How many of these entries fit, so that a fix can name a number.
std::uint64_t entries_within(std::uint64_t entries, std::uint64_t bytes, std::uint64_t limit) {
  return std::max<std::uint64_t>(static_cast<std::uint64_t>(static_cast<long double>(entries) *
                                                            static_cast<long double>(limit) /
                                                            static_cast<long double>(bytes)),
                                 1);
}

void check_limit(BpfMapCheck &check, const BpfMapTraits &traits) {
  const BpfDeclaredMap &map = check.map();
  if (traits.entries != BpfEntriesRule::above_zero || map.max_entries.value_or(0) != 0)
    return;
  const std::string declared = map.max_entries ? "max_entries is 0" : "has no max_entries";
  if (check.type() == BpfMapType::ring_buffer || check.type() == BpfMapType::user_ring_buffer) {
    // Loaders often choose the size of a ring buffer.
    check.add("bpf-no-limit", VetLevel::note,
              declared + ": its loader has to set its bytes, or it can't be made",
              "Write a default, __uint(max_entries, 256 * 1024); a loader can still change it.");
    return;
  }
  check.add("bpf-no-limit", VetLevel::warning,
            fmt::format("{}: the kernel makes no {} without, and what its loader sets is not "
                        "known here",
                        declared, traits.name),
            "Write __uint(max_entries, N) with the most entries that you expect; a loader can "
            "still change it.");
}

// What one entry is, for messages: "8-byte keys and 64-byte values".
std::string entry_words(const BpfDeclaredMap &map) {
  if (map.key_bytes.value_or(0) == 0)
    return fmt::format("{}-byte values", map.value_bytes.value_or(0));
  return fmt::format("{}-byte keys and {}-byte values", *map.key_bytes,
                     map.value_bytes.value_or(0));
}

std::string declared_words(const BpfMapCheck &check) {
  const BpfDeclaredMap &map = check.map();
  if (map.definition == BpfMapDefinition::global_data)
    return "global variables";
  if (check.type() == BpfMapType::ring_buffer || check.type() == BpfMapType::user_ring_buffer)
    return fmt::format("{} bytes", format_count(map.max_entries.value_or(0)));
  if (check.type() == BpfMapType::arena)
    return format_counted(map.max_entries.value_or(0), "page");
  return fmt::format("{} entries of {}", format_count(map.max_entries.value_or(0)),
                     entry_words(map));
}

struct SizeVerdict {
  VetLevel level;
  std::uint64_t limit;
};

std::optional<SizeVerdict> judge_bytes(std::uint64_t bytes, std::uint64_t limit) {
  if (bytes >= limit)
    return SizeVerdict{VetLevel::error, limit};
  if (bytes >= limit / kWarnDivisor)
    return SizeVerdict{VetLevel::warning, limit / kWarnDivisor};
  return std::nullopt;
}

// Returns whether it was too large.
bool check_memory(BpfMapCheck &check, const BpfMapCost &cost) {
  const BpfDeclaredMap &map = check.map();
  const auto verdict = judge_bytes(cost.full_bytes, check.options().max_bytes);
  if (!verdict)
    return false;
  const bool at_once = cost.at_load_bytes == cost.full_bytes;
  const std::uint64_t fitting =
      entries_within(map.max_entries.value_or(1), cost.full_bytes, verdict->limit);
  check.add("bpf-huge", verdict->level,
            fmt::format("{} take {} of kernel memory {} (limit {})", declared_words(check),
                        bytes_text(cost.full_bytes), at_once ? "at load" : "when full",
                        format_bytes(verdict->limit)),
            map.definition == BpfMapDefinition::global_data
                ? "Put the large variable into a map of its own."
                : fmt::format("Lower max_entries to what you need; {} stay below {}.",
                              format_count(fitting), format_bytes(verdict->limit)));
  return true;
}

void check_per_cpu(BpfMapCheck &check, const BpfMapCost &on_one, const BpfMapCost &on_all) {
  const std::uint64_t limit = check.options().max_bytes;
  // Warned of earlier than other maps: the author's own machine does not show it.
  const std::uint64_t warned = limit / kPreallocationDivisor;
  if (on_all.full_bytes < warned)
    return;
  const std::uint32_t cpus = check.options().cpus;
  const std::uint64_t value = check.map().value_bytes.value_or(0);
  check.add("bpf-percpu", on_all.full_bytes >= limit ? VetLevel::error : VetLevel::warning,
            fmt::format("{} for each of {} CPUs take {} ({} an entry), with one CPU {}",
                        declared_words(check), cpus, bytes_text(on_all.full_bytes),
                        bytes_text((value + 7) / 8 * 8 * cpus), bytes_text(on_one.full_bytes)),
            fmt::format("Lower max_entries ({} stay below {}), or use a shared map with atomic "
                        "adds.",
                        format_count(entries_within(check.map().max_entries.value_or(1),
                                                    on_all.full_bytes, warned)),
                        format_bytes(warned)));
}

// Keys of one or two bytes: more entries than there are keys can't be used.
void check_key_space(BpfMapCheck &check) {
  const BpfDeclaredMap &map = check.map();
  const std::uint32_t key = map.key_bytes.value_or(0), entries = map.max_entries.value_or(0);
  const bool is_hash = is_preallocated_hash(map) || is_lru(map);
  if (!is_hash || key == 0 || key > 2)
    return;
  const std::uint32_t different = 1U << (8 * key);
  if (entries > different)
    check.add("bpf-prealloc", VetLevel::warning,
              fmt::format("room for {} entries is made at load, but a key of {} has only {} values",
                          format_count(entries), format_counted(key, "byte"),
                          format_count(different)),
              fmt::format("Write __uint(max_entries, {}), or use an array.", different));
}

void check_preallocation(BpfMapCheck &check, const BpfMapCost &cost, bool is_huge) {
  const BpfDeclaredMap &map = check.map();
  check_key_space(check);
  if (!is_preallocated_hash(map))
    return;
  constexpr auto kFix =
      "Write __uint(map_flags, BPF_F_NO_PREALLOC) (not for perf_event programs; for other tracing "
      "programs from Linux 6.1 on), or tag the map mapscope:dense if it does fill.";
  if (check.has_tag("mapscope:sparse")) {
    if (cost.at_load_bytes >= kSmallBytes)
      check.add("bpf-prealloc", VetLevel::warning,
                fmt::format("is tagged as sparse, but takes the {} of all {} entries at load",
                            bytes_text(cost.at_load_bytes),
                            format_count(map.max_entries.value_or(0))),
                kFix);
    return;
  }
  if (!is_huge && !check.has_tag("mapscope:dense") &&
      cost.at_load_bytes >= check.options().max_bytes / kPreallocationDivisor)
    check.add("bpf-prealloc", VetLevel::note,
              fmt::format("takes {} at load for {} entries, used or not",
                          bytes_text(cost.at_load_bytes),
                          format_count(map.max_entries.value_or(0))),
              kFix);
}

// Why an entry that is evicted is a loss. Empty: nothing says so.
std::string loss_of(const BpfMapCheck &check) {
  const BpfDeclaredMap &map = check.map();
  if (check.has_tag("mapscope:keep"))
    return "it is tagged mapscope:keep";
  if (check.type() == BpfMapType::lru_percpu_hash)
    return "values for each CPU are added up over time";
  if (map.value_type && !map.value_type->counter_member.empty())
    return fmt::format("its values count ({})", map.value_type->counter_member);
  if (map.value_type && map.value_type->is_integer && map.value_bytes.value_or(0) >= 4)
    return fmt::format("a {} is a count or a time", map.value_type->name);
  if (map.is_pinned)
    return "it is pinned, to outlive its loader";
  return {};
}

void check_lru(BpfMapCheck &check) {
  const BpfDeclaredMap &map = check.map();
  if (!is_lru(map) || map.max_entries.value_or(0) == 0 || check.has_tag("mapscope:cache"))
    return;
  const std::uint32_t cpus = std::max(check.options().cpus, 1U);
  if ((map.flags & kBpfNoCommonLru) != 0)
    check.add("bpf-lru-evicts", VetLevel::note,
              fmt::format("with BPF_F_NO_COMMON_LRU each CPU evicts from its own part: of {} "
                          "entries, one of {} CPUs has {}, and loses older ones while others have "
                          "room",
                          format_count(*map.max_entries), cpus,
                          format_count(std::max(*map.max_entries / cpus, 1U))),
              "Multiply max_entries by the number of CPUs, or leave the flag out.");
  if (const std::string loss = loss_of(check); !loss.empty())
    check.add("bpf-lru-evicts", VetLevel::note,
              fmt::format("from {} entries on, each new one takes an older one away, and {}: that "
                          "would be lost without a trace",
                          format_count(*map.max_entries), loss),
              "Use a hash and handle E2BIG, or tag the map mapscope:cache if a lost entry is no "
              "loss.");
}

void check_types(BpfMapCheck &check, const BpfMapTraits &traits) {
  const BpfDeclaredMap &map = check.map();
  if (map.definition == BpfMapDefinition::global_data)
    return;
  if (map.definition == BpfMapDefinition::legacy) {
    check.add("bpf-no-btf", VetLevel::warning,
              "is a struct bpf_map_def in the section \"maps\": libbpf 1.0 and newer refuse it, "
              "and nobody knows the types of its keys and values",
              "Define it in SEC(\".maps\") with __uint(type, ...), __type(key, ...) and "
              "__type(value, ...).");
    return;
  }
  if (!traits.has_types)
    return;
  const bool lacks_key = !map.key_type && map.key_bytes.value_or(0) != 0;
  const bool lacks_value = !map.value_type && map.value_bytes.value_or(0) != 0;
  if (!lacks_key && !lacks_value)
    return;
  const std::string_view what = lacks_key && lacks_value ? "key and value"
                                : lacks_key              ? "key"
                                                         : "value";
  check.add("bpf-no-btf", VetLevel::warning,
            fmt::format("of its {} only the size is declared, not the type", what),
            lacks_key ? "Write __type(key, struct ...) in place of __uint(key_size, ...)."
                      : "Write __type(value, struct ...) in place of __uint(value_size, ...).");
}

// What a map of maps can come to: the template times the number that it can hold.
void check_inner(BpfMapCheck &check, const BpfMapCost &cost, const BpfDeclaredMap &outer) {
  const std::uint64_t limit = check.options().max_bytes;
  const std::uint64_t count = outer.max_entries.value_or(0);
  std::uint64_t all = 0;
  if (__builtin_mul_overflow(cost.full_bytes, count, &all))
    all = std::numeric_limits<std::uint64_t>::max();
  if (cost.full_bytes < limit / kWarnDivisor && all >= limit)
    check.add("bpf-huge", VetLevel::warning,
              fmt::format("up to {} of these in {} take {} each, {} together", format_count(count),
                          outer.name, bytes_text(cost.full_bytes), bytes_text(all)),
              "Lower max_entries of either.");
}

void check_map(BpfMapCheck &check, const BpfDeclaredMap *outer) {
  const BpfDeclaredMap &map = check.map();
  if (check.type() == BpfMapType::unspecified) {
    check.add("bpf-bad-type", VetLevel::error, "has no type",
              "Write __uint(type, BPF_MAP_TYPE_...).");
    return;
  }
  const BpfMapTraits *traits = bpf_map_traits(*map.type_number);
  if (traits == nullptr) {
    check.add(
        "bpf-bad-type", VetLevel::note,
        fmt::format("is of type {}, which this build does not know: nothing of it was checked",
                    *map.type_number),
        "");
    return;
  }
  check_limit(check, *traits);
  check_bpf_flags(check, *traits);
  check_bpf_sizes(check, *traits);
  check_types(check, *traits);
  check_lru(check);
  const auto on_one = bpf_map_cost(map, 1), on_all = bpf_map_cost(map, check.options().cpus);
  if (!on_one || !on_all)
    return;
  const bool is_huge = check_memory(check, is_per_cpu(map) ? *on_one : *on_all);
  if (is_per_cpu(map) && !is_huge)
    check_per_cpu(check, *on_one, *on_all);
  check_preallocation(check, *on_one, is_huge);
  if (outer != nullptr)
    check_inner(check, *on_all, *outer);
}

} // namespace

std::vector<VetFinding> vet_bpf_object(const BpfObjectFacts &object, const VetOptions &options) {
  std::vector<VetFinding> findings;
  const BpfDeclaredMap *outer = nullptr;
  for (const BpfDeclaredMap &map : object.maps) {
    BpfMapCheck check{object, map, options, findings};
    check_map(check, map.is_inner ? outer : nullptr);
    outer = map.has_inner ? &map : nullptr;
  }
  for (const std::string &name : object.undescribed_maps) {
    const BpfDeclaredMap map{.name = name};
    BpfMapCheck{object, map, options, findings}.add(
        "bpf-no-btf", VetLevel::error,
        "the object has no BTF, and nothing else says what is in .maps: it can't be loaded",
        "Compile with -g, and don't strip the section .BTF (llvm-strip -g keeps it).");
  }
  return findings;
}

} // namespace mapscope
