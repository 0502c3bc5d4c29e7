// The program on creations and growths, its table and its counters; see site_counter.h.
#include "kernel/site_counter.h"

#include <atomic>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kernel/libbpf_words.h"
#include "kernel/skeleton.h"
#include "skeletons/map_site.skel.h"

namespace mapscope {

struct SiteCounter::State {
  Loaded<map_site_bpf> skeleton;
  std::uint32_t sites_max = 0;

  map_site_moment &moment() const { return skeleton->bss->mapscope_map_site_moment; }
};

SiteCounter::SiteCounter(std::unique_ptr<State> state) : state_(std::move(state)) {}
SiteCounter::SiteCounter(SiteCounter &&) noexcept = default;
SiteCounter &SiteCounter::operator=(SiteCounter &&) noexcept = default;
SiteCounter::~SiteCounter() = default;

Result<SiteCounter> SiteCounter::load(std::uint32_t sites_max) {
  keep_libbpf_words();
  auto opened = TRY(Opened<map_site_bpf>::open());
  if (has_uprobe_multi())
    bpf_program__set_expected_attach_type(opened->progs.map_site,
                                          static_cast<bpf_attach_type>(kTraceUprobeMulti));
  bpf_map__set_max_entries(opened->maps.map_sites, sites_max);
  auto loaded = std::move(opened).load();
  if (!loaded)
    return std::unexpected(with_libbpf_words(loaded.error()));
  return SiteCounter{std::make_unique<State>(State{std::move(*loaded), sites_max})};
}

void SiteCounter::prepare(const SiteMoment &moment) {
  map_site_moment &to = state_->moment();
  std::atomic_ref{to.is_counting}.store(0, std::memory_order_release);
  to.runtime_start = moment.runtime_start;
  to.runtime_bytes = moment.runtime_bytes;
  to.image = moment.image;
}

Result<UprobeLinks> SiteCounter::place(const std::string &path, pid_t pid,
                                       std::vector<UprobeSite> sites) {
  return attach_uprobes(state_->skeleton->progs.map_site, path, pid, std::move(sites));
}

void SiteCounter::start_counting() {
  std::atomic_ref{state_->moment().is_counting}.store(1, std::memory_order_release);
}

void SiteCounter::stop_counting() {
  std::atomic_ref{state_->moment().is_counting}.store(0, std::memory_order_release);
}

std::uint64_t SiteCounter::image() const {
  return std::atomic_ref{state_->moment().image}.load(std::memory_order_relaxed);
}

map_site_counts SiteCounter::counts() const {
  map_site_counts sum{};
  auto add = [](__u64 &to, __u64 &from) {
    to += std::atomic_ref{from}.load(std::memory_order_relaxed);
  };
  for (map_site_counts &copy : state_->skeleton->bss->mapscope_map_site_counts) {
    add(sum.hits, copy.hits);
    add(sum.counted, copy.counted);
    add(sum.in_place, copy.in_place);
    add(sum.lost_table_full, copy.lost_table_full);
    add(sum.lost_unreadable, copy.lost_unreadable);
    add(sum.of_another_image, copy.of_another_image);
  }
  return sum;
}

Result<std::vector<CountedSite>> SiteCounter::take() {
  int table = bpf_map__fd(state_->skeleton->maps.map_sites);
  // Room for all, so that the kernel is asked once: it refuses when a bucket does not fit.
  std::vector<map_site_key> keys(state_->sites_max);
  std::vector<map_site_value> values(state_->sites_max);
  std::uint32_t count = state_->sites_max, place = 0;
  if (bpf_map_lookup_and_delete_batch(table, nullptr, &place, keys.data(), values.data(), &count,
                                      nullptr) != 0 &&
      errno != ENOENT) // the end of the table
    return std::unexpected(Error::from_errno("reading what maps were made and grown"));
  std::vector<CountedSite> sites(count);
  for (std::size_t i = 0; i < count; ++i)
    sites[i] = {keys[i], values[i]};
  return sites;
}

} // namespace mapscope
