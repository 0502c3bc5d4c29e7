// The counting programs of bpf(2) and their table, which is read through a mapping; see
// call_window.h and bpf/contract/bpf_calls.h.
#include "kernel/bpf_maps/call_window.h"

#include <array>
#include <atomic>
#include <cstring>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handle.h"
#include "bpf/contract/bpf_calls.h"
#include "kernel/bpf_maps/update_probes.h"
#include "kernel/libbpf_words.h"
#include "kernel/skeleton.h"
#include "kernel/uprobes.h"
#include "skeletons/bpf_calls.skel.h"

namespace mapscope {
namespace {

constexpr std::array<std::string_view, BPF_CALL_LOST_KIND_COUNT> kLossNames = {
    "no map behind the descriptor", "attributes unreadable", "failed batches",
    "calls of 32-bit programs", "table full"};
constexpr std::string_view kProgramsMissed = "programs' calls that met another one";

void unmap_calls(bpf_call_table *table) noexcept { ::munmap(table, sizeof(*table)); }
using MappedCalls = Handle<bpf_call_table, unmap_calls>;

Result<MappedCalls> map_calls(const bpf_map *map) {
  void *memory = ::mmap(nullptr, sizeof(bpf_call_table), PROT_READ | PROT_WRITE, MAP_SHARED,
                        bpf_map__fd(map), 0);
  if (memory == MAP_FAILED)
    return std::unexpected(Error::from_errno("mapping the table of calls on BPF maps"));
  return MappedCalls{static_cast<bpf_call_table *>(memory)};
}

template <typename T> T heard(T &from) {
  return std::atomic_ref{from}.load(std::memory_order_acquire);
}

template <typename T> void tell(T &to, std::type_identity_t<T> value) {
  std::atomic_ref{to}.store(value, std::memory_order_release);
}

// Waits until no CPU runs a program that saw the table as it was. Where the kernel can't (CPUs
// without ticks), a call that ends in this very microsecond may be missed.
void wait_for_running_programs() { ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }

std::vector<std::byte> bytes_of(const bpf_call_looked_up &key) {
  const auto *first = reinterpret_cast<const std::byte *>(key.key);
  return {first, first + std::min<std::size_t>(key.bytes, sizeof(key.key))};
}

void add_counter(const bpf_call_counter &counter, CallWindowAnswer &answer) {
  MapCalls &calls = answer.calls[static_cast<std::uint32_t>(counter.key >> 32)];
  const int error = static_cast<int>(counter.key & 0xffff);
  switch (counter.key >> 16 & 0xffff) {
  case BPF_CALL_LOOKUP:
    calls.lookups = counter.count;
    return;
  case BPF_CALL_UPDATE:
    calls.updates = counter.count;
    return;
  case BPF_CALL_DELETE:
    calls.deletes = counter.count;
    return;
  case BPF_CALL_UPDATE_FAILED:
    calls.system_failures[error] = counter.count;
    return;
  case BPF_CALL_PROGRAM_UPDATE:
    calls.program_updates = counter.count;
    return;
  case BPF_CALL_PROGRAM_DELETE:
    calls.program_deletes = counter.count;
    return;
  case BPF_CALL_PROGRAM_LOOKUP:
    calls.program_lookups = counter.count;
    return;
  case BPF_CALL_PROGRAM_UPDATE_FAILED:
    calls.program_failures[error] = counter.count;
    return;
  }
}

void add_sample(const bpf_call_table &table, std::size_t index, CallWindowAnswer &answer) {
  const bpf_call_sampled &sampled = table.sampled[index];
  if (sampled.seen == 0)
    return;
  MapCalls &calls = answer.calls[sampled.map_id];
  calls.looked_up_of = sampled.seen;
  for (std::size_t i = 0; i < table.keys_per_map; ++i)
    if (const auto &key = table.keys[index * table.keys_per_map + i]; key.bytes != 0)
      (key.by_program != 0 ? calls.program_looked_up : calls.looked_up).push_back(bytes_of(key));
}

void add_loss(std::string_view name, std::uint64_t count, CallWindowAnswer &answer) {
  if (count == 0)
    return;
  answer.lost += count;
  answer.lost_by_name[std::string(name)] += count;
}

} // namespace

struct CallWindow::State {
  State(Loaded<bpf_calls_bpf> loaded, MappedCalls mapped, UpdateProbes update_probes)
      : skeleton(std::move(loaded)), table(std::move(mapped)), probes(std::move(update_probes)) {}

  Result<void> be_greeted();

  Loaded<bpf_calls_bpf> skeleton;
  MappedCalls table;
  UpdateProbes probes;
  std::uint64_t opened_ns = 0;
  BpfLink link; // first to go
};

CallWindow::CallWindow(std::unique_ptr<State> state) : state_(std::move(state)) {}
CallWindow::CallWindow(CallWindow &&) noexcept = default;
CallWindow &CallWindow::operator=(CallWindow &&) noexcept = default;
CallWindow::~CallWindow() = default;

Result<CallWindow> CallWindow::load() {
  keep_libbpf_words();
  auto opened = TRY(Opened<bpf_calls_bpf>::open());
  auto loaded = std::move(opened).load();
  if (!loaded)
    return std::unexpected(with_libbpf_words(loaded.error()));
  const bpf_map *calls = (*loaded)->maps.bpf_call_tables;
  auto table = TRY(map_calls(calls));
  auto probes = UpdateProbes::load(bpf_map__fd(calls));
  return CallWindow{
      std::make_unique<State>(std::move(*loaded), std::move(table), std::move(probes))};
}

// One call of our own, which the program knows by a random word; see bpf_call_table. Deleting from
// an array changes nothing.
Result<void> CallWindow::State::be_greeted() {
  const int map = bpf_map__fd(skeleton->maps.bpf_call_tables);
  bpf_call_greeting greeting{};
  if (::getrandom(&greeting.word, sizeof(greeting.word), 0) != sizeof(greeting.word))
    return std::unexpected(Error::from_errno("asking the kernel for a random word"));
  greeting.word |= 1;
  tell(table->greeting, greeting.word);
  (void)bpf_map_delete_elem(map, &greeting); // fails, and is seen
  tell(table->greeting, 0);

  bpf_map_info info{};
  __u32 info_bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(map, &info, &info_bytes) != 0)
    return std::unexpected(Error::from_errno("asking for the id of the table of calls"));
  if (heard(table->greeted_map) != info.id)
    return fail(Errc::unsupported,
                "the program on system calls did not find the map of a call: it says {}, and it is "
                "{}; calls of bpf(2) can't be counted by map on this kernel",
                table->greeted_map, info.id);
  return {};
}

Result<void> CallWindow::open(const std::vector<std::uint32_t> &sample_keys_of) {
  if (state_->link)
    return fail(Errc::usage, "the window on calls of bpf(2) is open already");
  if (sample_keys_of.size() > BPF_CALL_SAMPLED_MAPS)
    return fail(Errc::usage, "looked-up keys of {} maps are wanted; {} can be sampled at a time",
                sample_keys_of.size(), BPF_CALL_SAMPLED_MAPS);
  bpf_call_table &table = *state_->table;
  std::memset(&table, 0, sizeof(table));
  table.sampled_count = static_cast<__u32>(sample_keys_of.size());
  table.keys_per_map =
      BPF_CALL_KEYS / static_cast<__u32>(std::max<std::size_t>(sample_keys_of.size(), 1));
  for (std::size_t i = 0; i < sample_keys_of.size(); ++i)
    table.sampled[i].map_id = sample_keys_of[i];

  keep_libbpf_words();
  state_->link.reset(bpf_program__attach(state_->skeleton->progs.bpf_call_exit));
  if (!state_->link)
    return std::unexpected(
        with_libbpf_words(Error::from_errno("attaching to the tracepoint sys_exit")));
  if (auto greeted = state_->be_greeted(); !greeted) {
    state_->link.reset();
    return greeted;
  }
  state_->probes.attach(!sample_keys_of.empty());
  state_->opened_ns = now_ns();
  tell(table.is_counting, 1);
  return {};
}

Result<CallWindowAnswer> CallWindow::close() {
  if (!state_->link)
    return fail(Errc::usage, "the window on calls of bpf(2) is not open");
  bpf_call_table &table = *state_->table;
  tell(table.is_counting, 0);
  CallWindowAnswer answer;
  answer.window_ns = now_ns() - state_->opened_ns;
  state_->link.reset();
  answer.program_types = state_->probes.types();
  answer.sees_programs = !answer.program_types.empty();
  answer.programs_unseen = state_->probes.problem();
  const std::uint64_t missed = state_->probes.detach();
  wait_for_running_programs();

  for (bpf_call_counter &counter : table.counters)
    if (counter.key != 0)
      add_counter(counter, answer);
  for (std::size_t i = 0; i < table.sampled_count; ++i)
    add_sample(table, i, answer);
  for (std::size_t i = 0; i < kLossNames.size(); ++i)
    add_loss(kLossNames[i], table.lost[i], answer);
  add_loss(kProgramsMissed, missed, answer);
  return answer;
}

} // namespace mapscope
