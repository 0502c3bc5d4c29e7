// Names and numbers of the kernel's maps; see bpf_words.h.
#include "judge/rules/bpf_words.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ranges>

#include <fmt/format.h>

#include "base/format.h"
#include "judge/rules/wording.h"

namespace mapscope {

namespace {

constexpr std::size_t kOwnerLengthMax = 48, kKeyLengthMax = 48, kKeysTold = 3;

double number(std::uint64_t value) { return static_cast<double>(value); }

std::string name_text(const BpfMapFacts &map) {
  std::string text = fmt::format("BPF map {} ({}, id {})",
                                 map.name.empty() ? "without name" : map.name, map.type, map.id);
  if (!map.owner.empty())
    text += " of " + shortened(map.owner, kOwnerLengthMax);
  return text;
}

void add_numbers(const BpfMapSample &map, std::map<std::string, double> &numbers) {
  const auto add = [&numbers](const char *name, const auto &value) {
    if (value)
      numbers[name] = static_cast<double>(*value);
  };
  numbers["max_entries"] = number(map.facts.max_entries);
  add("entries", map.fill.entries);
  add("used_bytes", map.fill.used_bytes);
  add("fill", map.fill.fill);
  if (map.fill.method == BpfMethod::sampled)
    numbers["fill_error"] = number(map.fill.error) / std::max(1.0, number(map.facts.max_entries));
  if (map.facts.memory_method != BpfMemoryMethod::arithmetic)
    add("memory_bytes", map.facts.memory_bytes);
  if (map.time_to_full) {
    add("seconds_to_full", map.time_to_full->seconds);
    add("seconds_to_full_lower", map.time_to_full->lower);
    add("seconds_to_full_upper", map.time_to_full->upper);
  }
  if (map.keys)
    numbers["key_entropy_bits"] = map.keys->entropy_bits;
}

std::string seconds_text(double seconds) {
  constexpr double kMax = 1e9; // some 30 years
  return span_text(static_cast<std::uint64_t>(std::clamp(seconds, 0.0, kMax)) * 1'000'000'000);
}

std::string shares_text(const std::vector<BpfKeyCount> &counts, std::uint64_t of) {
  std::string text;
  for (const BpfKeyCount &one : counts | std::views::take(kKeysTold))
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", shortened(one.key, kKeyLengthMax),
                        percent_text(number(one.count) / std::max(1.0, number(of))));
  return text;
}

} // namespace

Telling bpf_telling(const BpfMapSample &map) {
  Telling telling{.type = map.facts.type, .owner = map.facts.owner};
  telling.subject = fmt::format("bpf map {}", map.facts.id);
  telling.name = name_text(map.facts);
  telling.bpf_map = FindingBpfMap{
      .id = map.facts.id,
      .name = map.facts.name,
      .method = std::string{kBpfMethodNames[static_cast<std::size_t>(map.fill.method)]},
      .key_file = map.key_file};
  add_numbers(map, telling.numbers);
  return telling;
}

std::string bpf_fill_text(const BpfMapSample &map) {
  const BpfMapFill &fill = map.fill;
  const std::string share = fill.fill ? percent_text(*fill.fill) + " full: " : "";
  const std::string method{kBpfMethodNames[static_cast<std::size_t>(fill.method)]};
  const std::string within = fill.error == 0   ? ""
                             : fill.used_bytes ? " within " + format_bytes(fill.error)
                                               : " within " + format_count(fill.error);
  if (fill.used_bytes)
    return fmt::format("{}{} of {}, {}{}", share, format_bytes(*fill.used_bytes),
                       format_bytes(map.facts.max_entries), method, within);
  return fmt::format("{}{} of {} entries, {}{}", share, format_count(fill.entries.value_or(0)),
                     format_count(map.facts.max_entries), method, within);
}

std::string full_in_text(const BpfTimeToFull &of) {
  return fmt::format("in {}{}", seconds_text(of.seconds.value_or(0)),
                     of.lower && of.upper ? fmt::format(" ({} to {})", seconds_text(*of.lower),
                                                        seconds_text(*of.upper))
                                          : "");
}

std::string when_full_text(const BpfMapFacts &map) {
  const std::string &type = map.type;
  if (type == "ringbuf")
    return "Its reader does not keep up: once it is full, records are dropped.";
  if (type == "user_ringbuf")
    return "The program does not drain it: once it is full, the process can't write to it.";
  if (type.starts_with("lru_"))
    return "Once it is full, each insert evicts another entry.";
  if (type == "lpm_trie")
    return "Once it is full, inserts fail with ENOSPC.";
  return "Once it is full, inserts fail with E2BIG, and what should be remembered is not.";
}

std::string bpf_keys_text(const BpfKeyDistribution &keys) {
  if (keys.sampled == 0)
    return {};
  std::string text =
      fmt::format("From {}: {} sampled, {} different (entropy {:.1f} bits); most "
                  "frequent: {}.",
                  keys.of, format_counted(keys.sampled, "key"), format_count(keys.distinct),
                  keys.entropy_bits, shares_text(keys.top, keys.sampled));
  if (!keys.prefixes.empty())
    text += fmt::format(" By their first bytes: {}.", shares_text(keys.prefixes, keys.sampled));
  return text;
}

} // namespace mapscope
