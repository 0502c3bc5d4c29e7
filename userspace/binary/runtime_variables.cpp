// A variable with methods of its own is what most of their callers pass as the receiver: the code
// takes its address right before the call. No instruction needs to be decoded for that: of bytes
// that are not such a pair, one in four billion would seem to call a given function.
#include "binary/runtime_variables.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/user_space.h"
#include "binary/runtime_globals.h"

namespace mapscope {
namespace {

// Types that have one variable each, in the order of `Votes`.
constexpr std::array<std::string_view, 3> kReceivers = {
    "runtime.(*mheap).", "runtime.(*gcControllerState).", "runtime.(*consistentHeapStats)."};

// A variable, as far as calls agree on one.
class Votes {
public:
  void add(ElfAddress variable) {
    contradicted_ |= count_ != 0 && variable != variable_;
    variable_ = variable;
    ++count_;
  }
  // At least 4 in every release and build mode of Go 1.17 to 1.27, none of them stray.
  std::optional<ElfAddress> winner() const {
    constexpr int kEnough = 2;
    return count_ >= kEnough && !contradicted_ ? std::optional{variable_} : std::nullopt;
  }

private:
  ElfAddress variable_;
  int count_ = 0;
  bool contradicted_ = false;
};

// Methods by where they begin: indexes into kReceivers.
std::unordered_map<std::uint64_t, std::size_t> find_methods(const GoBinary &binary) {
  std::unordered_map<std::uint64_t, std::size_t> methods;
  for (const FunctionView &function : binary.functions())
    for (std::size_t i = 0; i < kReceivers.size(); ++i)
      if (function.name.starts_with(kReceivers[i]) &&
          function.name.find('.', kReceivers[i].size()) == function.name.npos) // no closure in one
        methods.emplace(function.range.start.value, i);
  return methods;
}

// The target of an instruction that ends with a distance from its own end.
ElfAddress relative_target(std::span<const std::byte> code, std::size_t distance_at,
                           ElfAddress start) {
  std::int32_t distance;
  std::memcpy(&distance, code.data() + distance_at, sizeof(distance));
  return {start.value + distance_at + sizeof(distance) + static_cast<std::uint64_t>(distance)};
}

bool begins_with(std::span<const std::byte> code, std::size_t at, std::string_view opcode) {
  return std::memcmp(code.data() + at, opcode.data(), opcode.size()) == 0;
}

bool is_in(const std::vector<ElfRange> &ranges, ElfAddress address) {
  return std::ranges::any_of(ranges,
                             [&](const ElfRange &range) { return range.contains(address); });
}

std::array<Votes, kReceivers.size()> collect_votes(const GoBinary &binary,
                                                   const BinaryFacts &facts) {
  constexpr std::string_view kLea = "\x48\x8d\x05", kCall = "\xe8"; // lea x(%rip),%rax; call f
  constexpr std::size_t kLeaBytes = 7, kCallBytes = 5;
  std::array<Votes, kReceivers.size()> votes;
  const auto code = binary.code(facts.runtime_text);
  if (!code)
    return votes;
  const auto methods = find_methods(binary);
  const ElfAddress start = facts.runtime_text.start;
  for (std::size_t at = 0; at + kLeaBytes + kCallBytes <= code->size(); ++at) {
    if (!begins_with(*code, at, kLea) || !begins_with(*code, at + kLeaBytes, kCall))
      continue;
    const ElfAddress variable = relative_target(*code, at + kLea.size(), start);
    const ElfAddress callee = relative_target(*code, at + kLeaBytes + kCall.size(), start);
    if (auto method = methods.find(callee.value);
        method != methods.end() && is_in(facts.zeroed_data, variable))
      votes[method->second].add(variable);
  }
  return votes;
}

// Data of the program that has a value when it starts, or none.
bool is_writable(const GoBinary &binary, ElfAddress address) {
  return std::ranges::any_of(binary.elf().segments(), [&](const ElfSegment &segment) {
    return segment.is_writable && segment.range.contains(address);
  });
}

// The first key that the hash of eight bytes is encrypted with. Go source: runtime/asm_amd64.s,
// memhash64; internal/runtime/maps/memhash_amd64.s from 1.27 on.
std::optional<ElfAddress> find_hash_keys(const GoBinary &binary, const BinaryFacts &facts) {
  constexpr std::string_view kAesenc = "\x66\x0f\x38\xdc"; // aesenc m128,%xmm
  constexpr std::size_t kAesencBytes = 9;
  constexpr unsigned kRipRelativeMask = 0xc7, kRipRelative = 0x05; // of the byte of operands
  for (std::string_view name : {"runtime.memhash64", "internal/runtime/maps.memHash64AES"}) {
    const auto function = binary.find_function(name);
    if (!function)
      continue;
    const auto code = binary.code(function->range);
    for (std::size_t at = 0; code && at + kAesencBytes <= code->size(); ++at) {
      const auto operands = std::to_integer<unsigned>((*code)[at + kAesenc.size()]);
      if (!begins_with(*code, at, kAesenc) || (operands & kRipRelativeMask) != kRipRelative)
        continue;
      const ElfAddress keys =
          relative_target(*code, at + kAesenc.size() + 1, function->range.start);
      if (is_in(facts.zeroed_data, keys))
        return keys;
    }
  }
  return std::nullopt;
}

} // namespace

std::vector<ElfRange> find_zeroed_data(const ElfFile &elf) {
  std::vector<ElfRange> ranges;
  for (std::string_view name : {".bss", ".noptrbss"})
    if (const ElfSection *section = elf.find_section(name);
        section != nullptr && is_in_user_space(section->range))
      ranges.push_back(section->range);
  if (!ranges.empty())
    return ranges;
  for (const ElfSegment &segment : elf.segments())
    if (segment.is_writable && is_in_user_space(segment.range) &&
        segment.range.size_bytes > segment.bytes.size())
      ranges.push_back({{segment.range.start.value + segment.bytes.size()},
                        segment.range.size_bytes - segment.bytes.size()});
  return ranges;
}

RuntimeVariables find_runtime_variables_in_code(const GoBinary &binary, const BinaryFacts &facts) {
  if (facts.machine != Machine::amd64)
    return {};
  const auto [heap, gc_controller, shards] = collect_votes(binary, facts);
  RuntimeVariables variables{.heap = heap.winner().value_or(ElfAddress{}),
                             .gc_controller = gc_controller.winner().value_or(ElfAddress{}),
                             .hash_keys = find_hash_keys(binary, facts).value_or(ElfAddress{})};
  if (auto rate = find_memory_profile_rate_in_code(binary); rate && is_writable(binary, *rate))
    variables.memory_profile_rate = *rate;
  if (auto list = find_memory_buckets_in_code(binary); list && is_in(facts.zeroed_data, *list))
    variables.memory_buckets = *list;
  // What has methods of its own is a field of the statistics.
  const auto offset = facts.layout.find("runtime.mstats.heapStats");
  if (auto address = shards.winner(); address && offset && address->value > *offset)
    variables.statistics = {address->value - *offset};
  return variables;
}

RuntimeVariables find_runtime_variables(const GoBinary &binary, const BinaryFacts &facts) {
  auto by_symbol = [&](std::string_view name) {
    const auto symbol = binary.elf().find_symbol(name);
    return symbol && is_in(facts.zeroed_data, symbol->address) ? symbol->address : ElfAddress{};
  };
  RuntimeVariables variables{.heap = by_symbol("runtime.mheap_"),
                             .gc_controller = by_symbol("runtime.gcController"),
                             .statistics = by_symbol("runtime.memstats"),
                             .memory_buckets = by_symbol("runtime.mbuckets")};
  if (const auto rate = binary.elf().find_symbol("runtime.MemProfileRate");
      rate && is_writable(binary, rate->address))
    variables.memory_profile_rate = rate->address;
  if (facts.machine != Machine::amd64) // where the keys are, but the hash is another
    return variables;
  variables.hash_keys = by_symbol("runtime.aeskeysched");
  if (variables.hash_keys.value == 0) // from Go 1.27 on
    variables.hash_keys = by_symbol("internal/runtime/maps.aeskeysched");
  constexpr std::array kVariables = {
      &RuntimeVariables::heap,           &RuntimeVariables::gc_controller,
      &RuntimeVariables::statistics,     &RuntimeVariables::hash_keys,
      &RuntimeVariables::memory_buckets, &RuntimeVariables::memory_profile_rate};
  auto is_known = [&](auto variable) { return (variables.*variable).value != 0; };
  if (std::ranges::all_of(kVariables, is_known))
    return variables;
  const RuntimeVariables in_code = find_runtime_variables_in_code(binary, facts);
  for (auto variable : kVariables)
    if (!is_known(variable))
      variables.*variable = in_code.*variable;
  return variables;
}

} // namespace mapscope
