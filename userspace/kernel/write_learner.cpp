// The program on map writes, its table and its counters; see write_learner.h.
#include "kernel/write_learner.h"

#include <atomic>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kernel/libbpf_words.h"
#include "kernel/skeleton.h"
#include "skeletons/map_write.skel.h"

namespace mapscope {

struct WriteLearner::State {
  Loaded<map_write_bpf> skeleton;
  std::uint32_t writes_max = 0;
};

WriteLearner::WriteLearner(std::unique_ptr<State> state) : state_(std::move(state)) {}
WriteLearner::WriteLearner(WriteLearner &&) noexcept = default;
WriteLearner &WriteLearner::operator=(WriteLearner &&) noexcept = default;
WriteLearner::~WriteLearner() = default;

Result<WriteLearner> WriteLearner::load(std::uint32_t writes_max) {
  keep_libbpf_words();
  auto opened = TRY(Opened<map_write_bpf>::open());
  if (has_uprobe_multi())
    bpf_program__set_expected_attach_type(opened->progs.map_write,
                                          static_cast<bpf_attach_type>(kTraceUprobeMulti));
  bpf_map__set_max_entries(opened->maps.map_writes, writes_max);
  auto loaded = std::move(opened).load();
  if (!loaded)
    return std::unexpected(with_libbpf_words(loaded.error()));
  return WriteLearner{std::make_unique<State>(State{std::move(*loaded), writes_max})};
}

Result<UprobeLinks> WriteLearner::place(const std::string &path, pid_t pid,
                                        std::vector<UprobeSite> sites) {
  return attach_uprobes(state_->skeleton->progs.map_write, path, pid, std::move(sites));
}

map_write_counts WriteLearner::counts() const {
  map_write_counts sum{};
  auto add = [](__u64 &to, __u64 &from) {
    to += std::atomic_ref{from}.load(std::memory_order_relaxed);
  };
  for (map_write_counts &copy : state_->skeleton->bss->mapscope_map_write_counts) {
    add(sum.hits, copy.hits);
    add(sum.lost_table_full, copy.lost_table_full);
    add(sum.lost_unreadable, copy.lost_unreadable);
    add(sum.of_another_image, copy.of_another_image);
  }
  return sum;
}

Result<std::vector<CountedWrite>> WriteLearner::take() {
  int table = bpf_map__fd(state_->skeleton->maps.map_writes);
  // Room for all, so that the kernel is asked once: it refuses when a bucket does not fit.
  std::vector<map_write_key> keys(state_->writes_max);
  std::vector<map_write_value> values(state_->writes_max);
  std::uint32_t count = state_->writes_max, place = 0;
  if (bpf_map_lookup_and_delete_batch(table, nullptr, &place, keys.data(), values.data(), &count,
                                      nullptr) != 0 &&
      errno != ENOENT) // the end of the table
    return std::unexpected(Error::from_errno("reading what was written"));
  std::vector<CountedWrite> writes(count);
  for (std::size_t i = 0; i < count; ++i)
    writes[i] = {keys[i], values[i]};
  return writes;
}

} // namespace mapscope
