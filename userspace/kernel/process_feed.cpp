// The program on execs and its ring buffer; see process_feed.h.
#include "kernel/process_feed.h"

#include <atomic>
#include <cstring>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/handle.h"
#include "kernel/libbpf_words.h"
#include "kernel/process_ids.h"
#include "kernel/skeleton.h"
#include "kernel/uprobes.h"
#include "skeletons/process_feed.skel.h"

namespace mapscope {

struct ProcessFeed::State {
  explicit State(Loaded<process_feed_bpf> loaded) : skeleton(std::move(loaded)) {}

  static int hear(void *context, void *record, std::size_t size_bytes) {
    exec_record exec{};
    if (size_bytes == sizeof(exec)) {
      std::memcpy(&exec, record, sizeof(exec));
      static_cast<State *>(context)->heard.push_back(exec);
    }
    return 0;
  }

  Loaded<process_feed_bpf> skeleton;
  Handle<ring_buffer, ring_buffer__free> ring;
  std::vector<exec_record> heard;
  BpfLink link; // first to go
};

ProcessFeed::ProcessFeed(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessFeed::ProcessFeed(ProcessFeed &&) noexcept = default;
ProcessFeed &ProcessFeed::operator=(ProcessFeed &&) noexcept = default;
ProcessFeed::~ProcessFeed() = default;

Result<ProcessFeed> ProcessFeed::start(std::uint32_t ring_bytes) {
  if (!in_initial_pid_namespace())
    return fail(Errc::unsupported,
                "mapscope has a pid namespace of its own, where processes have other numbers; run "
                "it in that of the host (hostPID: true, --pid=host)");
  keep_libbpf_words();
  auto opened = TRY(Opened<process_feed_bpf>::open());
  bpf_map__set_max_entries(opened->maps.execs, ring_bytes);
  auto loaded = std::move(opened).load();
  if (!loaded)
    return std::unexpected(with_libbpf_words(loaded.error()));
  auto state = std::make_unique<State>(std::move(*loaded));
  state->ring.reset(ring_buffer__new(bpf_map__fd(state->skeleton->maps.execs), &State::hear,
                                     state.get(), nullptr));
  if (!state->ring)
    return std::unexpected(Error::from_errno("mapping the ring buffer of execs"));
  state->link.reset(bpf_program__attach(state->skeleton->progs.process_feed));
  if (!state->link)
    return std::unexpected(
        with_libbpf_words(Error::from_errno("attaching to the tracepoint sched_process_exec")));
  return ProcessFeed{std::move(state)};
}

std::vector<exec_record> ProcessFeed::take() {
  (void)ring_buffer__consume(state_->ring.get()); // fails only where hear() does
  return std::exchange(state_->heard, {});
}

process_feed_counts ProcessFeed::counts() const {
  process_feed_counts &counts = state_->skeleton->bss->mapscope_process_feed_counts;
  auto read = [](__u64 &from) { return std::atomic_ref{from}.load(std::memory_order_relaxed); };
  return {.sent = read(counts.sent), .lost = read(counts.lost)};
}

} // namespace mapscope
