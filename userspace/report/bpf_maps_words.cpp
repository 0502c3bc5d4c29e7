// Rounding that never says more than is known; see bpf_maps_words.h.
#include "report/bpf_maps_words.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"

namespace mapscope {
namespace {

std::string seconds_text(double seconds) {
  constexpr double kDay = 86'400;
  if (seconds >= 2 * kDay)
    return fmt::format("{:.0f} days", seconds / kDay);
  return format_duration(static_cast<std::uint64_t>(std::max(0.0, seconds) * 1e9));
}

// include/uapi/linux/bpf.h, Linux 6.18.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kFlags = {{
    {"BPF_F_NO_PREALLOC", "memory is taken as entries come"},
    {"BPF_F_NO_COMMON_LRU", "each CPU has a list of its own of what was used of late"},
    {"BPF_F_NUMA_NODE", "its memory is of one NUMA node"},
    {"BPF_F_RDONLY", "system calls may only read it"},
    {"BPF_F_WRONLY", "system calls may only write it"},
    {"BPF_F_STACK_BUILD_ID", "stacks are kept as build ids and offsets"},
    {"BPF_F_ZERO_SEED", "its hash has no random seed: for tests only"},
    {"BPF_F_RDONLY_PROG", "programs may only read it"},
    {"BPF_F_WRONLY_PROG", "programs may only write it"},
    {"BPF_F_CLONE", "sockets inherit its entries from their listener"},
    {"BPF_F_MMAPABLE", "user space may map its memory"},
    {"BPF_F_PRESERVE_ELEMS", "its events outlive who put them in"},
    {"BPF_F_INNER_MAP", "as an inner map it may have another size than the others"},
    {"BPF_F_LINK", "its programs are attached by links"},
    {"BPF_F_VTYPE_BTF_OBJ_FD", "its value type is of a kernel module"},
    {"BPF_F_TOKEN_FD", "it was made with a BPF token"},
    {"BPF_F_SEGV_ON_FAULT", "user space gets SIGSEGV where a page is not there"},
    {"BPF_F_NO_USER_CONV", "no user addresses are made for it"},
}};

} // namespace

std::string_view name_of(BpfMethod method) {
  return kBpfMethodNames[static_cast<std::size_t>(method)];
}

std::string_view name_of(BpfMemoryMethod method) {
  return kBpfMemoryMethodNames[static_cast<std::size_t>(method)];
}

std::string frequency_text(double per_second) {
  const double size = std::abs(per_second);
  if (size >= 9.95)
    return (per_second < 0 ? "-" : "") +
           format_count(static_cast<std::uint64_t>(std::llround(size)));
  return size == 0      ? "0"
         : size < 0.995 ? fmt::format("{:.2g}", per_second)
                        : fmt::format("{:.1f}", per_second);
}

std::string rate_text(const BpfRateSum &rate) {
  if (rate.is_exact)
    return frequency_text(rate.lower) + "/s";
  if (!rate.likely)
    return rate.lower > 0 ? fmt::format("at least {}/s", frequency_text(rate.lower)) : "not known";
  if (rate.upper && *rate.upper <= rate.lower)
    return frequency_text(*rate.likely) + "/s";
  const std::string likely = frequency_text(*rate.likely);
  return rate.upper ? fmt::format("~{}/s ({} to {})", likely, frequency_text(rate.lower),
                                  frequency_text(*rate.upper))
                    : fmt::format("~{}/s ({} or more)", likely, frequency_text(rate.lower));
}

std::string rate_text(const BpfRate &rate) { return rate_text(sum_of(rate, BpfRate{.exact = 0})); }

std::string fullness_time_text(const BpfTimeToFull &time) {
  if (!time.seconds)
    return {};
  if (*time.seconds == 0)
    return "now";
  std::string text = fmt::format("in about {}", seconds_text(*time.seconds));
  if (time.lower && time.upper)
    text += fmt::format(" ({} to {})", seconds_text(*time.lower), seconds_text(*time.upper));
  else if (time.lower)
    text += fmt::format(" ({} or later, perhaps never)", seconds_text(*time.lower));
  return text;
}

std::string entries_text(const BpfMapFacts &facts, const BpfMapFill &fill) {
  const std::string_view about = fill.method == BpfMethod::sampled ? "~" : "";
  if (fill.used_bytes)
    return fmt::format("{}{}/{}", about, format_bytes(*fill.used_bytes),
                       format_bytes(facts.max_entries));
  return fmt::format("{}{}/{}", about, fill.entries ? format_count(*fill.entries) : "-",
                     facts.max_entries != 0 ? format_count(facts.max_entries) : "-");
}

std::string_view words_for_flag(std::string_view flag) {
  const auto *found = std::ranges::find(kFlags, flag, [](const auto &it) { return it.first; });
  return found != kFlags.end() ? found->second : std::string_view{};
}

std::string name_text(const BpfMapFacts &facts) {
  return facts.name.empty() ? "(without a name)" : printable(facts.name);
}

} // namespace mapscope
