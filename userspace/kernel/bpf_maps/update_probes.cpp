// Loading and attaching, each program by itself; see update_probes.h and bpf_update_probes.bpf.c.
#include "kernel/bpf_maps/update_probes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/btf.h>

#include "base/error.h"
#include "kernel/libbpf_words.h"
#include "kernel/skeleton.h"
#include "kernel/uprobes.h"
#include "skeletons/bpf_update_probes.skel.h"

namespace mapscope {
namespace {

using UpdateSkeleton = Loaded<bpf_update_probes_bpf>;

// BPF_MAP_TYPE_BLOOM_FILTER, of Linux 5.16.
constexpr std::uint32_t kBloomFilter = 30;

// The functions that programs come to with maps of a type; who has no second can't delete.
struct MapTypeFunctions {
  std::uint32_t type;
  std::string_view update, remove;
};
constexpr auto kTypes = std::to_array<MapTypeFunctions>({
    {BPF_MAP_TYPE_HASH, "htab_map_update_elem", "htab_map_delete_elem"},
    {BPF_MAP_TYPE_ARRAY, "array_map_update_elem", {}},
    {BPF_MAP_TYPE_PERCPU_HASH, "htab_percpu_map_update_elem", "htab_map_delete_elem"},
    {BPF_MAP_TYPE_PERCPU_ARRAY, "array_map_update_elem", {}},
    {BPF_MAP_TYPE_LRU_HASH, "htab_lru_map_update_elem", "htab_lru_map_delete_elem"},
    {BPF_MAP_TYPE_LRU_PERCPU_HASH, "htab_lru_percpu_map_update_elem", "htab_lru_map_delete_elem"},
    {BPF_MAP_TYPE_LPM_TRIE, "trie_update_elem", "trie_delete_elem"},
    {BPF_MAP_TYPE_QUEUE, "queue_stack_map_push_elem", "queue_map_pop_elem"},
    {BPF_MAP_TYPE_STACK, "queue_stack_map_push_elem", "stack_map_pop_elem"},
    {kBloomFilter, "bloom_map_push_elem", {}},
});

// What is tried first: every host has hash maps.
constexpr std::string_view kTriedFirst = "htab_map_update_elem";
constexpr std::string_view kLookup = "__htab_map_lookup_elem";

std::string_view function_of(const bpf_program *program) {
  std::string_view section = bpf_program__section_name(program);
  return section.substr(section.find('/') + 1);
}

// The kernel's own number for "not supported" has no text in the C library.
std::string reason_of(int error) {
  constexpr int kNotSupported = 524; // ENOTSUPP, include/linux/errno.h
  return error == kNotSupported ? "it does not support that" : std::strerror(error);
}

// Does not load what `is_wanted` does not want.
Result<UpdateSkeleton> load_probes(int table,
                                   const std::function<bool(std::string_view)> &is_wanted) {
  keep_libbpf_words();
  auto opened = TRY(Opened<bpf_update_probes_bpf>::open());
  if (int status = bpf_map__reuse_fd(opened->maps.bpf_call_tables, table); status != 0)
    return std::unexpected(Error::from_errno("sharing the table of calls", -status));
  bpf_program *program = nullptr;
  bpf_object__for_each_program(program, opened->obj)
      bpf_program__set_autoload(program, is_wanted(function_of(program)));
  return std::move(opened).load();
}

// Those functions that this kernel has: names come and go with releases.
Result<UpdateSkeleton> load_all_probes(int table) {
  const Handle<btf, btf__free> kernel_types{btf__load_vmlinux_btf()};
  if (!kernel_types)
    return fail(Errc::unsupported, "the kernel has no BTF");
  return load_probes(table, [&](std::string_view function) {
    return btf__find_by_name_kind(kernel_types.get(), std::string(function).c_str(),
                                  BTF_KIND_FUNC) > 0;
  });
}

std::uint64_t runs_missed(const bpf_program *program) {
  bpf_prog_info info{};
  __u32 info_bytes = sizeof(info);
  return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &info_bytes) == 0
             ? info.recursion_misses
             : 0;
}

} // namespace

struct UpdateProbes::State {
  struct Placed {
    const bpf_program *program = nullptr;
    std::uint64_t missed_before = 0;
    BpfLink link;
  };

  bool sees(std::string_view function) const {
    return function.empty() || placed.contains(function);
  }

  std::optional<UpdateSkeleton> skeleton;
  std::string problem;
  std::map<std::string_view, Placed> placed; // by function; first to go
};

UpdateProbes::UpdateProbes(std::unique_ptr<State> state) : state_(std::move(state)) {}
UpdateProbes::UpdateProbes(UpdateProbes &&) noexcept = default;
UpdateProbes &UpdateProbes::operator=(UpdateProbes &&) noexcept = default;
UpdateProbes::~UpdateProbes() = default;

UpdateProbes UpdateProbes::load(int table) {
  UpdateProbes probes{std::make_unique<State>()};
  for (bool only_first : {true, false}) {
    auto loaded = only_first ? load_probes(table, [](auto name) { return name == kTriedFirst; })
                             : load_all_probes(table);
    if (!loaded) {
      probes.state_->problem =
          fmt::format("no probe on the kernel's update functions: {}", loaded.error().message());
      probes.state_->skeleton.reset();
      break;
    }
    probes.state_->skeleton.emplace(std::move(*loaded));
    probes.attach(false);
    const bool works = !probes.state_->placed.empty();
    probes.detach();
    if (!works) {
      probes.state_->skeleton.reset();
      break;
    }
  }
  return probes;
}

void UpdateProbes::attach(bool with_lookups) {
  if (!state_->skeleton)
    return;
  keep_libbpf_words();
  state_->problem.clear();
  bpf_program *program = nullptr;
  bpf_object__for_each_program(program, (*state_->skeleton)->obj) {
    if (!bpf_program__autoload(program) || (function_of(program) == kLookup && !with_lookups))
      continue;
    if (BpfLink link{bpf_program__attach(program)})
      state_->placed[function_of(program)] = {program, runs_missed(program), std::move(link)};
    else
      state_->problem = fmt::format("the kernel refuses a probe on {}: {}", function_of(program),
                                    reason_of(errno));
  }
}

std::vector<std::uint32_t> UpdateProbes::types() const {
  std::vector<std::uint32_t> types;
  for (const MapTypeFunctions &of : kTypes)
    if (state_->skeleton && state_->sees(of.update) && state_->sees(of.remove))
      types.push_back(of.type);
  return types;
}

const std::string &UpdateProbes::problem() const { return state_->problem; }

std::uint64_t UpdateProbes::detach() {
  std::uint64_t missed = 0;
  for (auto &[function, placed] : state_->placed) {
    placed.link.reset();
    missed += runs_missed(placed.program) - placed.missed_before;
  }
  state_->placed.clear();
  return missed;
}

} // namespace mapscope
