// The BPF programs and their maps; see tracer.h.
#include "kernel/tracer.h"

#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "kernel/libbpf_words.h"
#include "kernel/process_ids.h"
#include "kernel/skeleton.h"
#include "skeletons/mapscope.skel.h"

namespace mapscope {
namespace {

using RingBuffer = Handle<ring_buffer, ring_buffer__free>;

using Drain = std::function<void(std::span<const std::byte>)>;

bool has_tracepoint(const char *name) {
  return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

void expect_uprobe_multi(const Opened<mapscope_bpf> &opened) {
  for (bpf_program *program :
       {opened->progs.map_operation, opened->progs.map_operation_return, opened->progs.heap_request,
        opened->progs.image_entry, opened->progs.map_misuse})
    bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kTraceUprobeMulti));
}

// Programs that are not loaded, and tables that only they use.
void leave_misuse_only(const Opened<mapscope_bpf> &opened) {
  const auto &programs = opened->progs;
  for (bpf_program *program :
       {programs.map_operation, programs.map_operation_return, programs.heap_request,
        programs.image_entry, programs.process_exec, programs.process_exit, programs.process_fork,
        programs.system_call_enter, programs.system_call_exit, programs.io_uring_submit})
    bpf_program__set_autoload(program, false);
  const auto &maps = opened->maps;
  for (bpf_map *map : {maps.windows, maps.pending_calls, maps.path_buffers, maps.followed})
    bpf_map__set_autocreate(map, false);
  // Misuses are rare, and their stacks few.
  constexpr std::uint32_t kStacksMax = 512;
  bpf_map__set_max_entries(maps.stacks_seen, kStacksMax);
  bpf_map__set_max_entries(maps.target_counts, 1);
  opened->rodata->mapscope_counts_are_shared = true;
}

Result<BpfLink> attach(bpf_program *program) {
  BpfLink link{bpf_program__attach(program)};
  if (!link)
    return std::unexpected(
        Error::from_errno(fmt::format("attaching {}", bpf_program__name(program))));
  return link;
}

// An epoll of the ring that is ready after a wake-up, and not whenever there are records: the
// edge. libbpf's own is level-triggered, and would keep a reader awake while records come.
Result<Fd> wake_ups_of(int ring) {
  Fd waker{epoll_create1(EPOLL_CLOEXEC)};
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLET;
  if (!waker || epoll_ctl(waker.get(), EPOLL_CTL_ADD, ring, &wanted) != 0)
    return std::unexpected(Error::from_errno("waiting for the ring buffer"));
  return waker;
}

} // namespace

// Members die in reverse: the ring buffer and links before the programs they refer to.
struct Tracer::State {
  Loaded<mapscope_bpf> skeleton;
  RingBuffer ring;
  Fd waker;
  std::vector<BpfLink> process_links;
  std::vector<BpfLink> call_links;
  const Drain *handler = nullptr; // while drain() runs
  std::uint32_t targets_max = 0;
  bool only_misuse = false;
  std::array<bool, TARGETS_MAX> taken{};
  std::uint32_t generations = 0; // targets so far
  bool sees_io_uring = false;

  // Words of a per-CPU array's element, one value of the struct after the other.
  static constexpr std::size_t kCountWords = sizeof(target_counts) / sizeof(std::uint64_t);
  static std::vector<std::uint64_t> words_of_all_cpus() {
    return std::vector<std::uint64_t>(kCountWords *
                                      static_cast<std::size_t>(libbpf_num_possible_cpus()));
  }
  int counts_map() const { return bpf_map__fd(skeleton->maps.target_counts); }
  void clear_counts(std::uint32_t index) const {
    bpf_map_update_elem(counts_map(), &index, words_of_all_cpus().data(), BPF_ANY);
  }
};

Tracer::Tracer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tracer::Tracer(Tracer &&) noexcept = default;
Tracer &Tracer::operator=(Tracer &&) noexcept = default;
Tracer::~Tracer() = default;

Result<Tracer> Tracer::load(const TracerOptions &options) {
  keep_libbpf_words();
  auto opened = TRY(Opened<mapscope_bpf>::open());
  opened->rodata->mapscope_settings = options.settings;
  std::ranges::copy(options.call_table, opened->rodata->mapscope_call_table);
  if (has_uprobe_multi())
    expect_uprobe_multi(opened);
  bool sees_io_uring = !options.only_misuse &&
                       has_tracepoint("io_uring_submit_req"); // Linux 6.3; io_uring may be off
  bpf_program__set_autoload(opened->progs.io_uring_submit, sees_io_uring);
  bpf_program__set_autoload(opened->progs.map_operation_return, options.probes_returns);
  bpf_program__set_autoload(opened->progs.process_ids, !in_initial_pid_namespace());
  bpf_map__set_max_entries(opened->maps.events, options.ring_bytes);
  bpf_map__set_max_entries(opened->maps.target_counts, options.targets_max);
  if (options.only_misuse)
    leave_misuse_only(opened);

  auto loaded = std::move(opened).load();
  if (!loaded)
    return std::unexpected(with_libbpf_words(loaded.error()));
  auto state = std::make_unique<State>(State{.skeleton = std::move(*loaded),
                                             .ring = {},
                                             .waker = {},
                                             .process_links = {},
                                             .call_links = {},
                                             .targets_max = options.targets_max,
                                             .only_misuse = options.only_misuse,
                                             .sees_io_uring = sees_io_uring});
  auto handle = [](void *context, void *data, std::size_t size) {
    auto &self = *static_cast<State *>(context);
    (*self.handler)({static_cast<const std::byte *>(data), size});
    return 0;
  };
  state->ring.reset(
      ring_buffer__new(bpf_map__fd(state->skeleton->maps.events), handle, state.get(), nullptr));
  if (!state->ring)
    return std::unexpected(Error::from_errno("mapping the ring buffer"));
  state->waker = TRY(wake_ups_of(bpf_map__fd(state->skeleton->maps.events)));
  return Tracer{std::move(state)};
}

Result<> Tracer::watch_processes() {
  auto &programs = state_->skeleton->progs;
  for (bpf_program *program : {programs.process_exec, programs.process_exit, programs.process_fork})
    state_->process_links.push_back(TRY(mapscope::attach(program)));
  return {};
}

Result<> Tracer::watch_system_calls() {
  auto &programs = state_->skeleton->progs;
  // The exit first: a call that is seen to enter should be seen to leave.
  for (bpf_program *program : {programs.system_call_exit, programs.system_call_enter})
    state_->call_links.push_back(TRY(mapscope::attach(program)));
  if (state_->sees_io_uring)
    state_->call_links.push_back(TRY(mapscope::attach(programs.io_uring_submit)));
  return {};
}

void Tracer::unwatch_system_calls() { state_->call_links.clear(); }

bool Tracer::sees_io_uring() const { return state_->sees_io_uring; }

Result<std::uint32_t> Tracer::add_target(pid_t pid, const target &settings) {
  auto &bss = *state_->skeleton->bss;
  auto places = std::span{state_->taken}.first(state_->targets_max);
  auto place = std::ranges::find(places, false);
  if (place == places.end())
    return fail(Errc::unsupported, "{} processes are watched already, which is the limit",
                state_->targets_max);
  auto index = static_cast<std::uint32_t>(place - places.begin());

  std::uint32_t tgid = static_cast<std::uint32_t>(pid);
  if (!in_initial_pid_namespace()) {
    bss.mapscope_pid_namespace = TRY(own_pid_namespace());
    tgid = TRY(initial_tgid(state_->skeleton->progs.process_ids, pid));
  }
  bss.mapscope_targets[index] = settings;
  bss.mapscope_targets[index].tgid = tgid;
  bss.mapscope_targets[index].generation = ++state_->generations;
  bss.mapscope_samples_shown[index] = 0;
  bss.mapscope_misuse_hits[index] = 0;
  if (!state_->only_misuse) // there is but one place, of all targets
    state_->clear_counts(index);
  for (std::uint32_t probe = 0; probe < TARGET_PROBES; ++probe) {
    auto &slot = bss.mapscope_target_slots[(tgid + probe) % TARGET_SLOTS];
    if (slot.tgid != 0 && slot.tgid != TARGET_SLOT_FREED)
      continue;
    slot.index = index;
    std::atomic_ref{slot.tgid}.store(tgid, std::memory_order_release);
    *place = true;
    return index;
  }
  return fail(Errc::unsupported, "the table of watched processes has no room near {}", tgid);
}

void Tracer::unwatch_target(std::uint32_t index) {
  auto &bss = *state_->skeleton->bss;
  std::uint32_t tgid = bss.mapscope_targets[index].tgid;
  for (auto &slot : bss.mapscope_target_slots)
    if (slot.tgid == tgid && slot.index == index)
      slot.tgid = TARGET_SLOT_FREED;
  bss.mapscope_targets[index].flags = 0;
}

void Tracer::remove_target(std::uint32_t index) {
  unwatch_target(index);
  state_->taken[index] = false;
}

target &Tracer::target_at(std::uint32_t index) {
  return state_->skeleton->bss->mapscope_targets[index];
}

Result<UprobeLinks> Tracer::attach(UprobeProgram program, const std::string &path, pid_t pid,
                                   std::vector<UprobeSite> sites) {
  auto &programs = state_->skeleton->progs;
  std::array by_kind{programs.map_operation, programs.map_operation_return, programs.heap_request,
                     programs.image_entry, programs.map_misuse};
  return attach_uprobes(by_kind[static_cast<std::size_t>(program)], path, pid, std::move(sites));
}

int Tracer::wake_fd() const { return state_->waker.get(); }

std::size_t Tracer::drain(const Drain &handle) {
  epoll_event woken{};
  epoll_wait(state_->waker.get(), &woken, 1, 0); // takes the wake-up back, if there was one
  state_->handler = &handle;
  int count = ring_buffer__consume(state_->ring.get());
  state_->handler = nullptr;
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

target_counts Tracer::counts(std::uint32_t index) const {
  // All members are counters of 64 bits, so summing over CPUs is summing words.
  static_assert(sizeof(target_counts) % sizeof(std::uint64_t) == 0);
  std::vector<std::uint64_t> words = State::words_of_all_cpus();
  if (bpf_map_lookup_elem(state_->counts_map(), &index, words.data()) != 0)
    return {};
  std::array<std::uint64_t, State::kCountWords> total{};
  for (std::size_t i = 0; i < words.size(); ++i)
    total[i % State::kCountWords] += words[i];
  return std::bit_cast<target_counts>(total);
}

std::uint64_t Tracer::misuse_hits(std::uint32_t index) const {
  return std::atomic_ref{state_->skeleton->bss->mapscope_misuse_hits[index]}.load(
      std::memory_order_relaxed);
}

std::array<event_stats, EVENT_KIND_COUNT> Tracer::event_totals() const {
  std::array<event_stats, EVENT_KIND_COUNT> totals{};
  std::vector<event_stats> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t kind = 0; kind < EVENT_KIND_COUNT; ++kind) {
    if (bpf_map_lookup_elem(bpf_map__fd(state_->skeleton->maps.event_stats), &kind,
                            per_cpu.data()) != 0)
      continue;
    for (const event_stats &stats : per_cpu) {
      totals[kind].sent += stats.sent;
      totals[kind].lost_ring_full += stats.lost_ring_full;
    }
  }
  return totals;
}

} // namespace mapscope
