// From full to not full; see bpf_key_files.h.
#include "pipeline/daemon/bpf_key_files.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "judge/rules/bpf_rules.h"
#include "pipeline/daemon/kept_files.h"

namespace mapscope {
namespace {

constexpr int kFilesAtOnce = 8;   // the others come with the next look
constexpr double kLessFull = 0.9; // of the threshold, and the episode is over

bool is_due(const BpfMapSample &map, const BpfNeeds &needs) {
  return std::ranges::any_of(needs.key_files, [&map](const BpfFillRule &rule) {
    return judges_fill(rule, map.facts) && is_filled(rule, map);
  });
}

bool is_over(const BpfMapSample &map, const BpfNeeds &needs) {
  return std::ranges::none_of(needs.key_files, [&map](const BpfFillRule &rule) {
    return judges_fill(rule, map.facts) &&
           (!map.fill.fill || *map.fill.fill >= kLessFull * rule.max_fill);
  });
}

// Ids begin anew with the host.
std::uint64_t boot_wall_ns() { return now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME); }

} // namespace

std::string BpfKeyFiles::begin(const BpfMapSample &map, const BpfConfig &config) {
  const KeptFilesLimit limit{.directory = config.key_directory,
                             .setting = "bpf.key_directory",
                             .suffix = ".keys",
                             .what = "file of keys",
                             .bytes_max = config.key_files_max_bytes};
  const std::string name = fmt::format("{}-{}-", as_file_name(map.facts.name), map.facts.id);
  // Of before a restart: the alert that names it may be firing still.
  if (std::string before = newest_kept_file(limit, name, boot_wall_ns()); !before.empty())
    return before;
  const auto write = [&]() -> Result<std::string> {
    TRY(prepare_kept_files(limit));
    return keep_file(limit, fmt::format("{}{}", name, now_ns(CLOCK_REALTIME) / 1'000'000'000),
                     [&](const std::string &path) -> Result<> {
                       TRY(write_(map.facts, path, config.key_file_bytes));
                       return {};
                     });
  };
  auto kept = write();
  if (kept) {
    ++figures_.written;
    figures_.problem.clear();
    return *std::move(kept);
  }
  if (kept.error().code() != Errc::unsupported && kept.error().code() != Errc::not_found) {
    ++figures_.failures; // a map without keys, or that is gone, is no failure
    figures_.problem = kept.error().message();
  }
  return {};
}

void BpfKeyFiles::keep(BpfMapsLook &look, const BpfNeeds &needs, const BpfConfig &config) {
  Episodes episodes;
  int begun = 0;
  for (BpfMapSample &map : look.maps) {
    const auto known = episodes_.find(map.facts.id);
    if (known != episodes_.end() && !is_over(map, needs)) {
      map.key_file = known->second;
      if (!map.key_file.empty() && ::access(map.key_file.c_str(), F_OK) != 0)
        map.key_file.clear(); // it had to make room
      episodes.insert(*known);
    } else if (!config.key_directory.empty() && begun < kFilesAtOnce && is_due(map, needs)) {
      ++begun;
      map.key_file = begin(map, config);
      episodes.emplace(map.facts.id, map.key_file);
    }
  }
  episodes_ = std::move(episodes); // maps that are gone have none
}

} // namespace mapscope
