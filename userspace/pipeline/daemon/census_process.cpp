// A look is a census, its sums, and the few maps that are large; who holds these is looked for when
// there is one of which it is not known, since that costs more than all else.
#include "pipeline/daemon/census_process.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <functional>

#include "attach/process.h"
#include "base/clock.h"
#include "base/process_files.h"
#include "heap/sites/allocation_totals.h"
#include "pipeline/daemon/census_access.h"
#include "report/maps_pprof.h"

namespace mapscope {
namespace {

// CPU time of all threads, running ones included; absent: the process has ended.
std::optional<std::uint64_t> cpu_time_of(ProcessKey process) {
  clockid_t clock = 0;
  timespec time{};
  if (::clock_getcpuclockid(static_cast<pid_t>(process.pid), &clock) != 0 ||
      ::clock_gettime(clock, &time) != 0)
    return std::nullopt;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// Different after an exec, of the same file too: the kernel puts random addresses into the
// auxiliary vector. 0: the process has ended.
std::uint64_t image_of(ProcessKey process) {
  const auto pid = static_cast<pid_t>(process.pid);
  struct stat status{};
  if (::stat(fmt::format("/proc/{}/exe", pid).c_str(), &status) != 0)
    return 0;
  // Another user's may not be readable, with CAP_SYS_PTRACE alone.
  const auto vector = read_process_file(pid, "auxv");
  return std::hash<std::string>{}(
             fmt::format("{} {} {}", status.st_dev, status.st_ino, vector.value_or(""))) |
         1;
}

std::string holder_of(const MapOwner &owner) {
  return owner.holder.empty() ? owner.path : owner.holder;
}

SampledMap sampled(const JudgedMap &map) {
  SampledMap sample{.address = map.map.address,
                    .seed = map.map.seed,
                    .type = map.type,
                    .owner = holder_of(map.owner),
                    .is_unreachable = map.owner.reach == Reach::unreachable,
                    .len = map.map.len,
                    .slots = map.map.slots,
                    .bytes = map.map.bytes.total(),
                    .reclaimable_bytes = map.reclaimable_bytes,
                    .cause = map.cause,
                    .explanation = map.explanation,
                    .advice = map.advice};
  if (!map.site.shares.empty())
    sample.site = map.site.shares.front().frame;
  return sample;
}

std::pair<std::uint64_t, std::uint64_t> key_of(const JudgedMap &map) {
  return {map.map.address.value, map.map.seed};
}

bool differs(std::uint64_t before, std::uint64_t now) {
  constexpr std::uint64_t kShare = 100;
  return std::max(before, now) - std::min(before, now) > std::max(before, now) / kShare;
}

} // namespace

std::optional<std::uint64_t> CensusProcess::ran_ns() const {
  const auto now = cpu_ns_ ? cpu_time_of(found_.process.key) : std::nullopt;
  return now && *now >= *cpu_ns_ ? std::optional{*now - *cpu_ns_} : std::nullopt;
}

bool CensusProcess::has_not_run(const CensusNeeds &needs) const {
  const ProcessKey key = found_.process.key;
  if (!last_ || ran_ns() != 0 || needs.min_bytes < last_needs_.min_bytes ||
      needs.min_entries < last_needs_.min_entries || (needs.limits && !last_needs_.limits))
    return false;
  const auto start = process_start_time(static_cast<pid_t>(key.pid));
  return start && *start == key.start_time_ns;
}

CensusSample CensusProcess::repeated(std::uint64_t now_ns) const {
  CensusSample sample = *last_;
  sample.time_ns = now_ns;
  sample.is_unchanged = true;
  return sample;
}

Result<MapSource> CensusProcess::open(const LookOptions &options) {
  const ProcessIdentity &process = found_.process;
  if (!found_.binary)
    return fail(Errc::unsupported, "{}",
                found_.problem.empty() ? "its executable was not read" : found_.problem);
  MapSource source = TRY(open_process(process.key, process.exe, found_.binary));
  const std::uint64_t image = image_of(process.key);
  if (image_ != 0 && image != image_)
    return fail(Errc::gone, "process {} runs another program now", process.key.pid);
  image_ = image;
  source.memory = std::make_unique<CensusAccess>(std::move(source.memory), options.stop);
  return source;
}

// What was garbage when somebody looked is gone after two more collections; a map that is still
// there was none. And what a walk did not tell, another one may, a while later.
bool CensusProcess::has_name(const JudgedMap &map, const HeapStatistics &heap) const {
  constexpr std::uint64_t kAskAgainNs = 1'800'000'000'000;
  const auto known = known_.find(key_of(map));
  if (known == known_.end())
    return false;
  if (known->second.owner.reach == Reach::unreachable)
    return heap.gc_cycles.value_or(0) < walk_gc_cycles_ + 2;
  return known->second.owner.reach == Reach::reachable || now_ns() - walked_at_ns_ < kAskAgainNs;
}

// Where a large map is new, and not so often that it would take more than a quarter of the share
// that all censuses have.
bool CensusProcess::is_walk_wanted(const MapsOverview &overview, const LookOptions &options) const {
  if (std::ranges::all_of(overview.large, [&](const JudgedMap &map) {
        return has_name(map, overview.report.heap);
      }))
    return false;
  const double rest_ns = static_cast<double>(walk_cost_ns_) / (options.census.cpu_share / 4);
  return walked_at_ns_ == 0 || static_cast<double>(now_ns() - walked_at_ns_) >= rest_ns;
}

Result<> CensusProcess::walk(MapSurvey &survey, const LookOptions &options) {
  constexpr auto kCpuMax = std::chrono::seconds{20};
  const std::uint64_t start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  const auto found =
      survey.find_holders({.memory_bytes_max = options.walk_memory_bytes, .cpu_max = kCpuMax});
  walked_at_ns_ = now_ns();
  walk_cost_ns_ = now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
  walk_gc_cycles_ = survey.heap().gc_cycles.value_or(0);
  // What was asked of the runner ends the look; what the program does not tell leaves maps without
  // names.
  return found || found.error().code() == Errc::unsupported ||
                 found.error().code() == Errc::malformed
             ? Result<>{}
             : found;
}

// Of a map without a name it is kept that a walk did not tell it, and of one that could not be read
// this time what was known.
void CensusProcess::keep_names(const MapsOverview &overview, bool has_walked) {
  KnownMaps names;
  for (const auto *maps : {&overview.large, &overview.report.maps})
    for (const JudgedMap &map : *maps) {
      const auto known = known_.find(key_of(map));
      const bool is_told = map.owner.reach != Reach::unknown || !map.site.shares.empty();
      if (!is_told && !has_walked && known == known_.end())
        continue;
      KnownMap &name = names[key_of(map)];
      if (!is_told) {
        if (known != known_.end())
          name = known->second;
        continue;
      }
      name = {.owner = map.owner, .site = map.site};
      name.site.shares.resize(std::min<std::size_t>(name.site.shares.size(), 3));
      if (map.certainty == TypeCertainty::exact)
        name.type = map.type;
    }
  for (const ProcessAddress address : overview.unsettled)
    for (auto known = known_.lower_bound({address.value, 0});
         known != known_.end() && known->first.first == address.value; ++known)
      names.insert(*known);
  known_ = std::move(names);
}

Result<CensusSample> CensusProcess::sample_of(const MapsOverview &overview, MapSource &source) {
  const MapsReport &report = overview.report;
  CensusSample sample{.process = found_.process.key,
                      .heap = report.heap,
                      .map_count = report.totals.maps,
                      .map_entries = report.totals.entries,
                      .map_bytes = report.totals.bytes,
                      .map_reclaimable_bytes = report.totals.reclaimable_bytes,
                      .map_reclaimable_unknown = report.totals.reclaimable_unknown,
                      .maps_left_out = overview.large_left_out,
                      .maps_unsettled = overview.unsettled,
                      .is_partial = overview.is_partial};
  sample.heap.size_classes = {};
  const SnapshotProcess &process = source.process;
  if (const auto totals =
          TRY(read_allocation_totals(*source.memory, *process.facts, process.load_bias))) {
    sample.allocated_bytes = totals->bytes;
    sample.allocated_by_maps_bytes = totals->map_bytes;
  }
  sample.limits = TRY(MemoryLimitReader{}.read(static_cast<pid_t>(process.pid), report.heap));
  return sample;
}

// Whether it has to be looked at more often, or less.
CensusChange CensusProcess::change_to(const CensusSample &sample, const CensusSample &shown,
                                      const LookOptions &options) const {
  constexpr std::uint64_t kGrowthBytesMin = 1 << 20;
  if (!last_ || !last_shown_)
    return CensusChange::some;
  if (sample.map_bytes > last_->map_bytes + std::max(kGrowthBytesMin, last_->map_bytes / 10))
    return CensusChange::growth;
  bool has_changed = false;
  for (const SampledMap &map : shown.maps) {
    const auto before = std::ranges::find_if(last_shown_->maps, [&](const SampledMap &one) {
      return one.address == map.address && one.seed == map.seed;
    });
    const bool is_near =
        map.bytes >= options.needs.min_bytes / 2 || map.len >= options.needs.min_entries / 2;
    if (before != last_shown_->maps.end() && is_near &&
        (map.bytes > before->bytes || map.len > before->len + before->len / 10))
      return CensusChange::growth;
    has_changed |= before == last_shown_->maps.end() || differs(before->len, map.len);
  }
  has_changed |= differs(last_->map_count, sample.map_count) ||
                 differs(last_->map_entries, sample.map_entries) ||
                 differs(last_->map_bytes, sample.map_bytes);
  return has_changed ? CensusChange::some : CensusChange::none;
}

// Once each time that a limit comes near.
void CensusProcess::keep_snapshot(MapSource &source, const LookOptions &options,
                                  ProcessLook &look) {
  constexpr double kNear = 0.85, kFar = 0.75;
  const double share = share_of_limit(look.sample->limits);
  if (share < kFar)
    is_near_limit_ = false;
  CensusSnapshots snapshots{options.census.snapshot_directory, options.census.snapshots_max_bytes};
  if (share < kNear || is_near_limit_ || !snapshots.is_wanted())
    return;
  is_near_limit_ = true;
  if (auto kept = snapshots.keep(source, options.stop))
    look.kept_snapshot = std::move(*kept);
  else
    look.snapshot_problem = kept.error().message();
}

Result<ProcessLook> CensusProcess::look(const LookOptions &options) {
  // What a look without memory of the last one may cost before memory is worth its room.
  constexpr std::uint64_t kCheapNs = 5'000'000, kFewMaps = 500;
  const std::uint64_t start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  const auto cpu_ns = cpu_time_of(found_.process.key); // before the memory is read
  cpu_ns_.reset();
  MapSource source = TRY(open(options));
  MapSurvey survey{source, {.remembers = true, .owners = OwnersWanted::no, .residency = false}};
  const bool has_memory = memory_ != nullptr;
  survey.set_memory(std::move(memory_));
  const std::uint64_t time_ns = now_ns();
  TRY(survey.look());

  OverviewOptions wanted{.min_bytes = options.needs.min_bytes,
                         .min_entries = options.needs.min_entries,
                         .large_max = options.census.maps_max,
                         .shown_max = options.census.maps_shown,
                         .known = &known_};
  MapsOverview overview = survey.overview(wanted);
  const bool walks = is_walk_wanted(overview, options);
  if (walks) {
    TRY(walk(survey, options));
    overview = survey.overview(wanted);
  }
  keep_names(overview, walks);

  CensusSample sample = TRY(sample_of(overview, source));
  sample.time_ns = time_ns;
  CensusSample shown = sample;
  std::ranges::transform(overview.large, std::back_inserter(sample.maps), sampled);
  std::ranges::transform(overview.report.maps, std::back_inserter(shown.maps), sampled);
  ProcessLook look{.change = change_to(sample, shown, options)};
  look.sample = std::make_shared<const CensusSample>(std::move(sample));
  look.shown = std::make_shared<const CensusSample>(std::move(shown));
  overview.report.heap.size_classes = {};
  look.report = std::make_shared<const MapsReport>(std::move(overview.report));
  if (options.may_keep && look.sample->map_count > kFewMaps &&
      (has_memory || now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns > kCheapNs))
    memory_ = survey.take_memory();
  if (options.needs.limits)
    keep_snapshot(source, options, look);
  cpu_ns_ = cpu_ns;
  last_needs_ = options.needs;
  last_ = look.sample;
  last_shown_ = look.shown;
  return look;
}

Result<std::string> CensusProcess::profile(const LookOptions &options) {
  constexpr auto kCpuMax = std::chrono::seconds{5};
  MapSource source = TRY(open(options));
  MapSurvey survey{source, {.owners = OwnersWanted::no, .residency = false}};
  TRY(survey.look());
  const auto found =
      survey.find_holders({.memory_bytes_max = options.walk_memory_bytes, .cpu_max = kCpuMax});
  if (!found && found.error().code() != Errc::unsupported &&
      found.error().code() != Errc::malformed)
    return std::unexpected(found.error());
  return maps_pprof(survey.profile());
}

} // namespace mapscope
