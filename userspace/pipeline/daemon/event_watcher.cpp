// Probes on watched processes: the thread that misuse, rates and verification share; see
// event_watcher.h.
#include "pipeline/daemon/event_watcher.h"

#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/handle.h"
#include "pipeline/daemon/event_flashes.h"
#include "pipeline/daemon/event_misuse.h"
#include "pipeline/daemon/event_sites.h"
#include "pipeline/daemon/event_verify.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kPublishNs = 200'000'000;
// With nothing to do; then the counters of probes are read for who asks.
constexpr std::uint64_t kIdleNs = 2'000'000'000;

// For poll(2).
int milliseconds_until(std::optional<std::uint64_t> time_ns) {
  const std::uint64_t now = now_ns();
  if (!time_ns)
    return -1;
  return *time_ns <= now ? 0 : static_cast<int>((*time_ns - now + 999'999) / 1'000'000);
}

// What is said of one process.
struct Shown {
  std::uint64_t hits = 0, probes = 0, flashes = 0, refused = 0, cost_ns = 0, verifications = 0;
  std::string verdict;
};

class Watcher final : public EventWatcher {
public:
  Watcher(const EventsConfig &events, const VerifyConfig &verify, BinaryCache &binaries,
          std::function<void(RuleInput)> hear, const EventTuning &tuning);
  ~Watcher() override { stop(); }

  void add(const FoundProcess &process) override;
  void remove(ProcessKey process) override;
  void set_needs(const RuleNeeds &needs) override;
  void set_config(const EventsConfig &events, const VerifyConfig &verify) override;
  void describe(WatchedProcess &process) const override;
  EventWatcherFigures figures() const override;
  void stop() override;

private:
  // Of one process; an exec makes a removal and an addition of the same key, in this order.
  struct Change {
    ProcessKey process;
    std::optional<FoundProcess> added; // absent: it is to be removed
  };
  struct Wishes {
    RuleNeeds needs;
    EventsConfig events;
    VerifyConfig verify;
  };

  void wake() const;
  void run();
  bool take_changes();
  void take(const Wishes &wishes);
  void take(Change change);
  void work(std::uint64_t now_ns);
  void place_misuse(std::uint64_t now_ns);
  // The parts that load programs, each for itself: what one of them lacks, others may have.
  struct Part {
    std::uint64_t retry_at_ns = 0;
    std::string problem;
  };
  void note(Part &part, const Result<> &done, std::uint64_t now_ns);
  std::string problem() const;
  std::optional<std::uint64_t> next_ns() const;
  void wait(bool is_busy);
  void publish(std::uint64_t now_ns);

  const EventTuning tuning_;
  Fd wake_fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_; // of what follows: what others want, and what they are shown
  std::vector<Change> changes_;
  Wishes wishes_;
  bool has_wishes_ = true;
  std::map<ProcessKey, Shown> shown_;
  EventWatcherFigures figures_;

  // Of the thread alone.
  bool misuse_wanted_ = false;
  std::map<ProcessKey, FoundProcess> processes_;
  std::vector<ProcessKey> unplaced_; // no probes on reports of misuse yet
  EventMisuse misuse_;
  EventFlashes flashes_;
  EventVerify verify_;
  Part misuse_part_, rate_part_, verify_part_;
  std::uint64_t published_ns_ = 0, windows_seen_ = 0;

  std::jthread thread_; // last: it uses all of the above
};

Watcher::Watcher(const EventsConfig &events, const VerifyConfig &verify, BinaryCache &binaries,
                 std::function<void(RuleInput)> hear, const EventTuning &tuning)
    : tuning_(tuning), wishes_{.needs = {}, .events = events, .verify = verify},
      misuse_(tuning_, hear), flashes_(tuning_, hear),
      verify_(tuning_, binaries, hear, [this] { wake(); }), thread_([this] { run(); }) {}

void Watcher::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_fd_.get(), &one, sizeof(one));
}

void Watcher::add(const FoundProcess &process) {
  if (!process.binary)
    return;
  const std::scoped_lock lock{mutex_};
  changes_.push_back({process.process.key, process});
  wake();
}

void Watcher::remove(ProcessKey process) {
  const std::scoped_lock lock{mutex_};
  changes_.push_back({process, std::nullopt});
  wake();
}

void Watcher::set_needs(const RuleNeeds &needs) {
  const std::scoped_lock lock{mutex_};
  wishes_.needs = needs;
  has_wishes_ = true;
  wake();
}

void Watcher::set_config(const EventsConfig &events, const VerifyConfig &verify) {
  const std::scoped_lock lock{mutex_};
  wishes_.events = events;
  wishes_.verify = verify;
  has_wishes_ = true;
  wake();
}

void Watcher::describe(WatchedProcess &process) const {
  const std::scoped_lock lock{mutex_};
  auto shown = shown_.find(process.process.key);
  if (shown == shown_.end())
    return;
  process.probe_hits = shown->second.hits;
  process.probes_attached = shown->second.probes;
  process.flashes = shown->second.flashes;
  process.probes_refused = shown->second.refused;
  process.probe_cost_ns = shown->second.cost_ns;
  process.verdict = shown->second.verdict;
  process.verifications = shown->second.verifications;
}

EventWatcherFigures Watcher::figures() const {
  const std::scoped_lock lock{mutex_};
  EventWatcherFigures figures = figures_;
  figures.system_calls_attached = verify_.system_calls_attached();
  return figures;
}

void Watcher::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable())
    thread_.join();
}

void Watcher::run() {
  while (!stopping_) {
    const bool is_busy = take_changes();
    work(now_ns());
    publish(now_ns());
    wait(is_busy);
  }
  flashes_.stop();
  verify_.stop();
  misuse_.stop();
  published_ns_ = 0;
  publish(now_ns());
}

// True: there is more to take.
bool Watcher::take_changes() {
  std::optional<Change> change;
  std::optional<Wishes> wishes;
  bool is_more = false;
  {
    const std::scoped_lock lock{mutex_};
    if (std::exchange(has_wishes_, false))
      wishes = wishes_;
    if (!changes_.empty()) {
      change = std::move(changes_.front());
      changes_.erase(changes_.begin());
    }
    is_more = !changes_.empty();
  }
  if (wishes)
    take(*wishes);
  if (change)
    take(std::move(*change));
  return is_more;
}

void Watcher::take(const Wishes &wishes) {
  const bool events = wishes.events.enabled;
  OperationSet operations;
  if (events && wishes.needs.growth_rates)
    operations |= growth_operations();
  if (events && wishes.needs.creation_rates)
    operations |= creation_operations();
  flashes_.configure(operations, wishes.events.cpu_share);
  verify_.configure(wishes.needs.verify, wishes.verify);
  const bool misuse = events && wishes.needs.misuse;
  if (misuse == misuse_wanted_)
    return;
  misuse_wanted_ = misuse;
  unplaced_.clear();
  if (!misuse)
    misuse_.stop();
  else
    for (const auto &[key, process] : processes_)
      unplaced_.push_back(key);
}

void Watcher::take(Change change) {
  if (processes_.erase(change.process) > 0) {
    misuse_.remove(change.process);
    flashes_.remove(change.process);
    verify_.remove(change.process);
    std::erase(unplaced_, change.process);
    const std::scoped_lock lock{mutex_};
    shown_.erase(change.process);
  }
  if (!change.added)
    return;
  flashes_.add(*change.added);
  verify_.add(*change.added, now_ns());
  if (misuse_wanted_)
    unplaced_.push_back(change.process);
  processes_.emplace(change.process, std::move(*change.added));
  published_ns_ = 0;
}

void Watcher::work(std::uint64_t now) {
  misuse_.drain();
  misuse_.look(now);
  note(verify_part_, verify_.step(now), now);
  if (std::uint64_t windows = verify_.windows(); windows != windows_seen_) {
    windows_seen_ = windows;
    published_ns_ = 0;
  }
  if (flashes_.is_wanted() && now >= rate_part_.retry_at_ns)
    note(rate_part_, flashes_.step(now), now);
  if (now >= misuse_part_.retry_at_ns)
    place_misuse(now);
}

// One process in a turn, since placing takes the kernel some milliseconds.
void Watcher::place_misuse(std::uint64_t now) {
  if (unplaced_.empty())
    return;
  auto process = processes_.find(unplaced_.back());
  if (process == processes_.end()) {
    unplaced_.pop_back();
    return;
  }
  const bool is_first = misuse_.wake_fds().empty();
  auto placed = misuse_.add(process->second);
  note(misuse_part_, placed, now);
  if (placed) {
    unplaced_.pop_back();
    if (is_first)
      ::malloc_trim(0); // what loading took is many times what stays
    published_ns_ = 0;
  }
}

// Nothing can be loaded: that is said once, and tried again much later.
void Watcher::note(Part &part, const Result<> &done, std::uint64_t now) {
  if (done) {
    if (now >= part.retry_at_ns)
      part.problem.clear();
    return;
  }
  part.retry_at_ns =
      now + static_cast<std::uint64_t>(std::chrono::nanoseconds{tuning_.retry}.count());
  part.problem = done.error().message();
  published_ns_ = 0;
}

std::string Watcher::problem() const {
  for (const Part *part : {&misuse_part_, &rate_part_, &verify_part_})
    if (!part->problem.empty())
      return part->problem;
  return {};
}

// When there is something to do but for flashes; nothing: not before a change.
std::optional<std::uint64_t> Watcher::next_ns() const {
  std::optional<std::uint64_t> next;
  auto at = [&](std::uint64_t time) { next = std::min(next.value_or(time), time); };
  if (!processes_.empty())
    at(now_ns() + kIdleNs);
  if (!unplaced_.empty())
    at(misuse_part_.retry_at_ns);
  if (auto verify = verify_.next_ns())
    at(*verify);
  return next;
}

// A flash is looked at every few milliseconds, and all else only where it is due.
void Watcher::wait(bool is_busy) {
  std::vector<pollfd> fds{{.fd = wake_fd_.get(), .events = POLLIN, .revents = 0}};
  for (int fd : misuse_.wake_fds())
    fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  const auto next = is_busy ? std::optional<std::uint64_t>{0} : next_ns();
  int ready = 0;
  do {
    std::optional<std::uint64_t> until = next;
    if (const auto flash = flashes_.next_ns())
      until = std::min(until.value_or(UINT64_MAX), std::max(*flash, rate_part_.retry_at_ns));
    ready = ::poll(fds.data(), fds.size(), milliseconds_until(until));
  } while (ready == 0 && (!next || now_ns() < *next) && flashes_.goes_on(now_ns()));
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t taken = ::read(wake_fd_.get(), &count, sizeof(count));
}

void Watcher::publish(std::uint64_t now) {
  if (now - published_ns_ < kPublishNs)
    return;
  published_ns_ = now;
  std::map<ProcessKey, Shown> shown;
  for (const auto &[key, process] : processes_) {
    const EventMisuse::Figures misuse = misuse_.figures(key);
    const EventFlashes::Figures flashes = flashes_.figures(key);
    const EventVerify::Figures verify = verify_.figures(key);
    shown[key] = {.hits = misuse.hits + flashes.hits + verify.probe_hits,
                  .probes = misuse.probes,
                  .flashes = flashes.flashes,
                  .refused = misuse.refused + flashes.refused + verify.refused,
                  .cost_ns = flashes.cost_ns + kEventHitNs * (misuse.hits + verify.probe_hits),
                  .verifications = verify.windows,
                  .verdict = verify.verdict};
  }
  EventWatcherFigures figures;
  figures.verify_windows = verify_.windows();
  figures.flashes = flashes_.totals().flashes;
  figures.hits = flashes_.totals().hits + misuse_.hits() + verify_.probe_hits();
  for (const auto &lost : {misuse_.lost(), flashes_.lost(), verify_.lost()})
    for (const auto &[name, count] : lost)
      figures.lost[name] += count;
  figures.problem = problem();
  const std::scoped_lock lock{mutex_};
  shown_ = std::move(shown);
  figures_ = std::move(figures);
}

} // namespace

std::unique_ptr<EventWatcher> EventWatcher::start(const EventsConfig &events,
                                                  const VerifyConfig &verify, BinaryCache &binaries,
                                                  std::function<void(RuleInput)> hear,
                                                  const EventTuning &tuning) {
  return std::make_unique<Watcher>(events, verify, binaries, std::move(hear), tuning);
}

} // namespace mapscope
