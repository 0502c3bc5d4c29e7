// Flashes of probes, and what they bring together; see map_learner.h.
#include "pipeline/map_learner.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <unordered_map>
#include <utility>

#include "attach/cpu_clock.h"
#include "attach/process.h"
#include "base/clock.h"
#include "base/duplicate.h"
#include "binary/confined_parser.h"
#include "bpf/contract/targets.h"
#include "kernel/write_learner.h"
#include "pipeline/attacher.h"
#include "pipeline/event_loop.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

// How long to wait before the next look at hits, and at the budget.
constexpr auto kLookAtHits = 1ms;
constexpr auto kLookAtBudget = 20ms;

// Dearer by so much where the kernel has to single-step the instruction under the probe.
constexpr std::uint64_t kSingleStepFactor = 15;

struct KeyHash {
  std::size_t operator()(const map_write_key &key) const {
    std::size_t hash = key.map >> 4;
    for (std::uint64_t word : {key.map_type, key.return_address})
      hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    return hash ^ hash >> 32;
  }
};
struct SameKey {
  bool operator()(const map_write_key &left, const map_write_key &right) const {
    return left.map == right.map && left.map_type == right.map_type &&
           left.return_address == right.return_address;
  }
};

// All flashes together.
class WriteTable {
public:
  WriteTable(MapImplementation implementation, std::size_t writes_max)
      : is_swiss_(implementation == MapImplementation::swiss), writes_max_(writes_max) {}

  void add(std::span<const CountedWrite> writes);
  void clear() { known_.clear(); }
  std::uint64_t lost() const { return lost_; }
  std::vector<LearnedWrite> sorted() const;

private:
  struct Known {
    std::uint64_t hits = 0, seed = 0;
  };
  std::uint64_t seed_of(const map_write_value &value) const {
    std::uint64_t seed = is_swiss_ ? value.header_word : value.header_word >> 32;
    return value.header_read ? seed : 0;
  }

  bool is_swiss_;
  std::size_t writes_max_;
  std::uint64_t lost_ = 0;
  std::unordered_map<map_write_key, Known, KeyHash, SameKey> known_;
};

void WriteTable::add(std::span<const CountedWrite> writes) {
  for (const auto &[key, value] : writes) {
    auto known = known_.find(key);
    if (known == known_.end()) {
      if (known_.size() >= writes_max_) {
        lost_ += value.hits;
        continue;
      }
      known = known_.emplace(key, Known{}).first;
    }
    if (std::uint64_t seed = seed_of(value); seed != known->second.seed)
      known->second = {.hits = 0, .seed = seed}; // another map, or cleared
    known->second.hits += value.hits;
  }
}

std::vector<LearnedWrite> WriteTable::sorted() const {
  std::vector<LearnedWrite> writes;
  writes.reserve(known_.size());
  for (const auto &[key, known] : known_)
    writes.push_back({.map = {key.map},
                      .type = {key.map_type},
                      .return_address = {key.return_address},
                      .seed = known.seed,
                      .hits = known.hits});
  std::ranges::sort(writes);
  return writes;
}

enum class End { none, time_over, stopped, target_ended, another_image };

class Learning {
public:
  Learning(ProcessInfo process, const BinaryFacts &facts, WriteLearner learner, Fd pid_fd,
           CpuClock cpu, const LearnLimits &limits)
      : process_(std::move(process)), points_(facts.map_writes), learner_(std::move(learner)),
        pid_fd_(std::move(pid_fd)), cpu_(cpu), one_by_one_(limits.one_by_one),
        plan_(budget_of(points_, limits.budget), limits.flash),
        table_(facts.map_implementation, limits.writes_max) {}

  Result<LearnedWrites> run(const StopSignals &signals, std::chrono::milliseconds duration);

private:
  static ProbeBudget budget_of(const std::vector<ProbePoint> &points, ProbeBudget budget) {
    if (!std::ranges::all_of(points, &ProbePoint::emulated))
      budget.hit_ns *= kSingleStepFactor;
    return budget;
  }
  pid_t pid() const { return static_cast<pid_t>(process_.key.pid); }
  std::uint64_t left_ns() const {
    std::uint64_t now = now_ns();
    return now < end_ns_ ? end_ns_ - now : 0;
  }

  Result<End> flash(const StopSignals &signals, const Flash &flash);
  Result<UprobeLinks> place();
  End watch(const StopSignals &signals, const Flash &flash, std::uint64_t hits_before) const;
  End look_at_image() const;
  LearnedWrites result(End end);

  ProcessInfo process_;
  const std::vector<ProbePoint> &points_;
  WriteLearner learner_;
  Fd pid_fd_;
  CpuClock cpu_;
  bool one_by_one_;
  FlashPlan plan_;
  WriteTable table_;
  std::uint64_t start_ns_ = now_ns(), end_ns_ = 0;
  std::uint64_t attached_ns_ = 0;
};

// Whether it is the same process still, and runs the file that the probes are for.
End Learning::look_at_image() const {
  auto now = find_process(pid());
  if (!now && now.error().code() != Errc::denied) // no executable: it is about to end
    return End::target_ended;
  const bool is_same = now && now->key == process_.key &&
                       same_file(now->executable, process_.executable) &&
                       learner_.counts().of_another_image == 0;
  return is_same ? End::none : End::another_image;
}

Result<UprobeLinks> Learning::place() {
  std::vector<UprobeSite> sites;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (one_by_one_ && i != plan_.count() % points_.size())
      continue;
    const ProbePoint &point = points_[i];
    TRY(check_bytes(process_.executable, point.function, point.offset, point.expected));
    sites.push_back({point.offset, PROBE_COOKIE_STACK_CHECK(point.on_stack_check)});
  }
  return learner_.place(fmt::format("/proc/self/fd/{}", process_.executable.get()), pid(),
                        std::move(sites));
}

// Until the time is over, or too much was hit.
End Learning::watch(const StopSignals &signals, const Flash &flash,
                    std::uint64_t hits_before) const {
  std::uint64_t end = now_ns() + std::min(flash.duration_ns, left_ns());
  for (std::uint64_t now = now_ns(); now < end; now = now_ns()) {
    auto pause = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds{end - now});
    Wake wake =
        wait_for(signals, pid_fd_, -1, std::min<std::chrono::milliseconds>(pause, kLookAtHits));
    if (wake == Wake::stopped)
      return End::stopped;
    if (wake == Wake::target_ended)
      return End::target_ended;
    if (learner_.counts().hits - hits_before >= flash.hits_max)
      break;
  }
  return End::none;
}

Result<End> Learning::flash(const StopSignals &signals, const Flash &flash) {
  FlashOutcome outcome;
  std::uint64_t hits_before = learner_.counts().hits;
  std::uint64_t cpu_before_ns = cpu_.since_start_ns(), placing_ns = now_ns();
  auto links = place();
  if (!links)
    return links.error().code() == Errc::gone ? Result<End>{End::target_ended}
                                              : std::unexpected(links.error());
  std::uint64_t placed_ns = now_ns();
  End end = watch(signals, flash, hits_before);
  std::uint64_t removing_ns = now_ns();
  *links = UprobeLinks{};
  outcome.watched_ns = removing_ns - placed_ns;
  outcome.attached_ns = now_ns() - placing_ns;
  std::uint64_t cpu_ns = cpu_.since_start_ns();
  outcome.cpu_ns = cpu_ns - std::min(cpu_ns, cpu_before_ns);
  outcome.hits = learner_.counts().hits - hits_before;
  plan_.add(outcome);
  attached_ns_ += outcome.attached_ns;
  table_.add(TRY(learner_.take()));
  return end;
}

Result<LearnedWrites> Learning::run(const StopSignals &signals,
                                    std::chrono::milliseconds duration) {
  end_ns_ = start_ns_ + static_cast<std::uint64_t>(std::chrono::nanoseconds{duration}.count());
  for (End end = End::none;;) {
    if (auto next = plan_.next(cpu_.since_start_ns()))
      end = TRY(flash(signals, *next));
    if (end == End::none)
      end = look_at_image();
    if (end == End::none && left_ns() == 0)
      end = End::time_over;
    if (end != End::none)
      return result(end);
    Wake wake = wait_for(signals, pid_fd_, -1, kLookAtBudget);
    if (wake == Wake::stopped)
      return result(End::stopped);
    if (wake == Wake::target_ended)
      return result(End::target_ended);
  }
}

LearnedWrites Learning::result(End end) {
  LearnedWrites learned;
  map_write_counts counts = learner_.counts();
  // Whatever ended it: addresses of an image that is gone mean something else by now.
  if (end != End::target_ended && look_at_image() == End::another_image)
    end = End::another_image;
  switch (end) {
  case End::none:
  case End::time_over:
    break;
  case End::stopped:
    learned.stopped_by = "a signal ended it early";
    break;
  case End::target_ended:
    learned.stopped_by = "the process ended";
    break;
  case End::another_image:
    learned.stopped_by = "the process executed another program: what was learned before is of no "
                         "use any more";
    table_.clear();
    break;
  }
  learned.writes = table_.sorted();
  learned.hits = counts.hits;
  learned.lost = counts.lost_table_full + counts.lost_unreadable + table_.lost();
  learned.flash_count = plan_.count();
  learned.attached_ns = attached_ns_;
  learned.duration_ns = now_ns() - start_ns_;
  return learned;
}

Result<Fd> open_pid_fd(pid_t pid) {
  Fd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!fd)
    return std::unexpected(Error::from_errno(fmt::format("watching process {}", pid)));
  return fd;
}

} // namespace

Result<LearnedWrites> learn_writes(pid_t pid, std::chrono::milliseconds duration,
                                   const LearnLimits &limits) {
  Fd pid_fd = TRY(open_pid_fd(pid));
  CpuClock cpu = TRY(CpuClock::of(pid));
  ProcessInfo process = TRY(find_process(pid));
  auto binary = TRY(ConfinedBinary::open(TRY(duplicate(process.executable)), process.exe));
  if (binary->facts().map_writes.empty())
    return fail(Errc::unsupported, "{} has no function that writes maps and can be probed",
                process.exe);
  StopSignals signals = TRY(StopSignals::block());
  Learning learning{std::move(process),
                    binary->facts(),
                    TRY_WHILE(WriteLearner::load(), "learning from writes to maps"),
                    std::move(pid_fd),
                    cpu,
                    limits};
  return learning.run(signals, duration);
}

} // namespace mapscope
