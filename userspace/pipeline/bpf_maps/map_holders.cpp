// Processes, their programs and cgroups; see map_holders.h.
#include "pipeline/bpf_maps/map_holders.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include <fcntl.h>

#include "attach/process.h"
#include "base/printable.h"

namespace mapscope {
namespace {

constexpr std::string_view kOwnName = "mapscope";

// What was found out of a process, once for all maps that it holds.
struct HolderProcess {
  ProcessIdentity identity;
  bool is_mapscope = false;
};

bool is_our_executable(const Fd &executable) {
  static const Fd own{::open("/proc/self/exe", O_PATH | O_CLOEXEC)};
  return executable && own && same_file(executable, own);
}

// Empty: it has ended, and whoever has its pid now is somebody else.
std::optional<HolderProcess> holder_process(ProcessKey key, UserNames &users) {
  auto process = find_process(static_cast<pid_t>(key.pid));
  if (!process || process->key != key) {
    if (!process && process.error().code() != Errc::gone) // a kernel thread, or not ours to see
      return HolderProcess{.identity = {.key = key}};
    return std::nullopt;
  }
  HolderProcess holder{.identity = {.key = key, .exe = printable(process->exe)}};
  if (auto identity = read_identity(*process, users))
    holder.identity = *std::move(identity);
  const std::string_view exe = holder.identity.exe;
  holder.is_mapscope =
      is_our_executable(process->executable) || exe.substr(exe.rfind('/') + 1) == kOwnName;
  return holder;
}

// What all of them have alike; empty where they differ, or one has none.
std::string shared(const std::vector<BpfMapHolder> &holders,
                   const std::string &(*field)(const ProcessIdentity &)) {
  const std::string &first = field(holders.front().process);
  const bool all = std::ranges::all_of(
      holders, [&](const BpfMapHolder &holder) { return field(holder.process) == first; });
  return all ? first : std::string{};
}

const std::string &container_of(const ProcessIdentity &process) {
  return process.cgroup.container_id;
}
const std::string &unit_of(const ProcessIdentity &process) { return process.cgroup.unit; }
const std::string &exe_of(const ProcessIdentity &process) { return process.exe; }

} // namespace

std::string bpf_map_owner(const BpfMapFacts &map, const MapFactsAnswer &answer) {
  if (!map.holders.empty()) {
    if (const std::string container = shared(map.holders, container_of); !container.empty())
      return "container " + container.substr(0, 12);
    if (std::string unit = shared(map.holders, unit_of); !unit.empty())
      return unit;
    return shared(map.holders, exe_of);
  }
  if (!answer.knows_holders)
    return {};
  const bool is_pinned = std::ranges::any_of(map.programs, [&](const BpfMapProgram &program) {
    return answer.pinned_programs.contains(program.id);
  });
  if (is_pinned || !map.pinned_paths.empty())
    return "pinned";
  return map.programs.empty() ? std::string{} : "kernel";
}

void name_bpf_map_holders(MapFactsAnswer &answer, UserNames &users) {
  std::map<ProcessKey, std::optional<HolderProcess>> processes;
  auto held = answer.held.begin();
  for (BpfMapFacts &map : answer.maps) { // both are in the order of ids
    while (held != answer.held.end() && held->map_id < map.id)
      ++held;
    for (; held != answer.held.end() && held->map_id == map.id; ++held) {
      auto [known, is_new] = processes.try_emplace(held->process);
      if (is_new)
        known->second = holder_process(held->process, users);
      if (!known->second)
        continue;
      map.holders.push_back({known->second->identity, held->directly});
      // One of mapscope's may have a look at somebody's map, or at a program: only what it holds
      // both of is its own.
      map.is_own |= known->second->is_mapscope && held->directly && held->by_program;
    }
    map.owner = bpf_map_owner(map, answer);
  }
}

} // namespace mapscope
