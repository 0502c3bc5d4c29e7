// Ids and descriptors, and what is found out around them; see map_facts.h.
#include "kernel/bpf_maps/map_facts.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/printable.h"
#include "base/process_files.h"
#include "kernel/bpf_maps/held_objects.h"
#include "kernel/bpf_maps/map_memory.h"
#include "kernel/bpf_maps/map_names.h"
#include "kernel/bpf_maps/map_programs.h"
#include "kernel/bpf_maps/map_type_words.h"
#include "kernel/bpf_maps/pinned_maps.h"

namespace mapscope {
namespace {

constexpr std::size_t kMapsMax = 100'000;

// struct bpf_map_info as Linux 6.18 has it, which older headers know in part. A kernel fills what
// it knows, and leaves the rest zero.
struct KernelMapInfo {
  std::uint32_t type = 0, id = 0, key_bytes = 0, value_bytes = 0, max_entries = 0, flags = 0;
  char name[BPF_OBJ_NAME_LEN] = {};
  std::uint32_t interface_index = 0;
  std::uint32_t kernel_value_type_id = 0;
  std::uint64_t network_namespace_device = 0, network_namespace_inode = 0;
  std::uint32_t btf_id = 0, key_type_id = 0, value_type_id = 0;
  std::uint32_t kernel_btf_id = 0; // 6.9
  std::uint64_t extra = 0;         // 5.16
};
static_assert(sizeof(KernelMapInfo) == 88);

Result<std::vector<std::uint32_t>> list_map_ids(MapFactsAnswer &answer) {
  std::vector<std::uint32_t> ids;
  std::uint32_t id = 0;
  while (bpf_map_get_next_id(id, &id) == 0) {
    if (ids.size() == kMapsMax) {
      answer.problems.push_back(fmt::format("The kernel has more than {} maps; these are the first "
                                            "by id.",
                                            kMapsMax));
      return ids;
    }
    ids.push_back(id);
  }
  if (errno == EPERM)
    return fail(Errc::denied, "listing the BPF maps takes CAP_SYS_ADMIN, which this process does "
                              "not have: run it as root");
  if (errno != ENOENT)
    return std::unexpected(Error::from_errno("listing the BPF maps"));
  return ids;
}

void fill_memory(BpfMapFacts &facts, const MapDescriptorInfo &info) {
  const BpfMemoryMethod method = bpf_memory_method();
  const bool is_told =
      info.memory_bytes && method != BpfMemoryMethod::unknown && is_memory_whole(facts.type_number);
  if (!is_told)
    return;
  facts.memory_method = method;
  if (method != BpfMemoryMethod::arithmetic)
    facts.memory_bytes = info.memory_bytes;
}

BpfMapFacts read_map(std::uint32_t id, const Fd &map, MapTypeWords &words) {
  BpfMapFacts facts{.id = id};
  KernelMapInfo info;
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0) {
    facts.problem = Error::from_errno("Only its id is known: asking about it").message();
    return facts;
  }
  facts.name = printable({info.name, ::strnlen(info.name, sizeof(info.name))});
  facts.type = bpf_map_type_name(info.type);
  facts.type_number = info.type;
  facts.key_bytes = info.key_bytes;
  facts.value_bytes = info.value_bytes;
  facts.max_entries = info.max_entries;
  facts.flags = info.flags;
  facts.flag_names = bpf_map_flag_names(info.flags);
  facts.extra = info.extra;
  facts.btf_id = info.btf_id;
  facts.key_type = words.of(info.btf_id, info.key_type_id);
  facts.value_type = words.of(info.btf_id, info.value_type_id);
  if (facts.value_type.empty())
    facts.value_type = words.of_kernel(info.kernel_btf_id, info.kernel_value_type_id);
  if (auto descriptor = read_map_descriptor_info(map)) {
    facts.is_frozen = descriptor->is_frozen;
    fill_memory(facts, *descriptor);
  } else {
    facts.problem = fmt::format("Its memory and whether it is frozen are not known: {}",
                                descriptor.error().message());
  }
  return facts;
}

void read_maps(const std::vector<std::uint32_t> &ids, MapFactsAnswer &answer) {
  MapTypeWords words;
  answer.maps.reserve(ids.size());
  for (const std::uint32_t id : ids) {
    const auto map = open_bpf_map(id);
    if (map)
      answer.maps.push_back(read_map(id, *map, words));
    else if (map.error().code() == Errc::not_found)
      ++answer.vanished;
    else
      answer.maps.push_back(
          {.id = id, .problem = fmt::format("Only its id is known: {}", map.error().message())});
  }
}

// The map of that id among maps in the order of ids; null: not there, or gone.
BpfMapFacts *find_map(std::span<BpfMapFacts> maps, std::uint32_t id) {
  const auto found = std::ranges::lower_bound(maps, id, {}, &BpfMapFacts::id);
  return found != maps.end() && found->id == id ? &*found : nullptr;
}

void tell_creation(BpfMapFacts &map, std::uint64_t wall_ns, std::string word) {
  if (map.created_before_wall_ns && *map.created_before_wall_ns <= wall_ns)
    return;
  map.created_before_wall_ns = wall_ns;
  map.created_by_word = std::move(word);
}

void add_programs(const LoadedPrograms &loaded, MapFactsAnswer &answer) {
  const std::uint64_t boot_wall_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME);
  for (const LoadedProgram &program : loaded.programs)
    for (const std::uint32_t id : program.map_ids) {
      BpfMapFacts *map = find_map(answer.maps, id);
      if (map == nullptr)
        continue;
      map->programs.push_back(program.program);
      tell_creation(*map, boot_wall_ns + program.loaded_boot_ns,
                    fmt::format("program {} was loaded", program.program.id));
    }
  if (loaded.unreadable > 0)
    answer.problems.push_back(
        fmt::format("{} programs can't be asked which maps they use.", loaded.unreadable));
}

// False: not all of them are known.
bool add_pins(PinnedMaps pinned, MapFactsAnswer &answer) {
  for (PinnedMap &pin : pinned.pins) {
    BpfMapFacts *map = find_map(answer.maps, pin.map_id);
    if (map == nullptr)
      continue;
    if (pin.changed_wall_ns != 0)
      tell_creation(*map, pin.changed_wall_ns, fmt::format("{} was there", pin.path));
    map->pinned_paths.push_back(std::move(pin.path));
  }
  for (BpfMapFacts &map : answer.maps)
    std::ranges::sort(map.pinned_paths);
  answer.pinned_programs = std::move(pinned.programs);
  std::ranges::move(pinned.problems, std::back_inserter(answer.problems));
  return pinned.problems.empty();
}

using MapsOfPrograms = std::unordered_map<std::uint32_t, const std::vector<std::uint32_t> *>;

std::vector<HeldMap> held_maps(const HeldObjects &held, const MapsOfPrograms &maps_of) {
  std::vector<HeldMap> result;
  std::uint32_t pid = 0;
  std::optional<ProcessKey> process;
  for (const HeldObject &object : held.objects) { // in the order of pids
    if (pid != object.pid) {
      pid = object.pid;
      process.reset();
      if (auto stat = read_process_stat(static_cast<pid_t>(pid)))
        process = {pid, stat->start_time_ns};
    }
    if (!process)
      continue; // it ended meanwhile
    if (object.kind != HeldObjectKind::program) {
      const bool directly = object.kind == HeldObjectKind::map;
      result.push_back({object.id, *process, directly, !directly});
    } else if (const auto maps = maps_of.find(object.id); maps != maps_of.end()) {
      for (const std::uint32_t id : *maps->second)
        result.push_back({id, *process, false, true});
    }
  }
  return result;
}

// One entry for each map and process.
void join_alike(std::vector<HeldMap> &held) {
  std::ranges::sort(held, {},
                    [](const HeldMap &one) { return std::pair{one.map_id, one.process}; });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < held.size(); ++i) {
    if (held[i].map_id != held[kept].map_id || held[i].process != held[kept].process) {
      held[++kept] = held[i];
      continue;
    }
    held[kept].directly |= held[i].directly;
    held[kept].by_program |= held[i].by_program;
  }
  held.resize(std::min(held.size(), kept + 1));
}

void add_holders(const LoadedPrograms &loaded, MapFactsAnswer &answer) {
  HeldObjects held = find_held_objects();
  MapsOfPrograms maps_of;
  for (const LoadedProgram &program : loaded.programs)
    maps_of.emplace(program.program.id, &program.map_ids);
  answer.held = held_maps(held, maps_of);
  join_alike(answer.held);
  answer.knows_holders = held.is_complete && loaded.unreadable == 0;
  if (!held.problem.empty())
    answer.problems.push_back(std::move(held.problem));
}

} // namespace

Result<Fd> open_bpf_map(std::uint32_t id) {
  LIBBPF_OPTS(bpf_get_fd_by_id_opts, options, .open_flags = BPF_F_RDONLY);
  Fd map{bpf_map_get_fd_by_id_opts(id, &options)};
  if (!map && errno != ENOENT) // a map or a security module may want more than reading, or less
    map = Fd{bpf_map_get_fd_by_id(id)};
  if (!map)
    return std::unexpected(Error::from_errno(fmt::format("opening map {}", id)));
  return map;
}

Result<MapFactsAnswer> find_bpf_maps(const MapFactsOptions &options) {
  // Its trial maps are gone before maps are listed.
  (void)bpf_memory_method();
  MapFactsAnswer answer;
  const std::vector<std::uint32_t> ids = TRY(list_map_ids(answer));
  read_maps(ids, answer);
  auto loaded = find_loaded_programs();
  if (loaded)
    add_programs(*loaded, answer);
  else
    answer.problems.push_back(
        fmt::format("Which programs use the maps is not known: {}.", loaded.error().message()));
  const bool knows_pins = add_pins(find_pinned_maps(), answer);
  if (options.with_holders) {
    add_holders(loaded ? *loaded : LoadedPrograms{.programs = {}, .unreadable = 1}, answer);
    answer.knows_holders &= knows_pins;
  }
  return answer;
}

} // namespace mapscope
