// One process after the other: what was asked for first, then who is due.
#include "pipeline/daemon/census_thread.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "base/clock.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLookTimeMax = 120 * kSecond;  // wall time of one, walk included
constexpr std::uint64_t kGlanceEvery = 10 * kSecond;   // at what costs a system call each
constexpr std::uint64_t kRetryRefused = 600 * kSecond; // rights may have changed
constexpr std::uint64_t kRetryYoung = 5 * kSecond;     // a heap that is not there yet
constexpr unsigned kYoungTries = 6;
constexpr std::uint64_t kProfileFresh = 2 * kSecond;
constexpr std::uint64_t kGiveBackEvery = 60 * kSecond; // it costs milliseconds and page faults
constexpr std::chrono::seconds kFreed{1}; // until who removed a process has freed what it held

std::chrono::steady_clock::time_point time_point_of(std::uint64_t monotonic_ns) {
  return std::chrono::steady_clock::time_point{std::chrono::nanoseconds{monotonic_ns}};
}

} // namespace

void CensusThread::run() {
  ::pthread_setname_np(::pthread_self(), "census");
  // What others of this process do at the same time, answer for one, goes first.
  constexpr int kNice = 5;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  Lock lock{mutex_};
  while (!is_stopping_) {
    if (!profiles_.empty()) {
      answer_profile(lock);
      continue;
    }
    glance(lock);
    if (is_stopping_ || !profiles_.empty()) // it lets others in, whose word nobody waited for
      continue;
    if (const auto next = take(now_ns()))
      look(lock, next);
    else
      wait(lock);
  }
  for (const WantedProfile &wanted : profiles_)
    wanted.answer->set_value(fail(Errc::system, "the daemon is stopping"));
}

void CensusThread::wait(Lock &lock) {
  const std::uint64_t now = now_ns();
  if (processes_.empty()) {
    if (!may_hold_free_memory_)
      wake_.wait(lock);
    else if (wake_.wait_for(lock, kFreed) == std::cv_status::timeout)
      give_back_memory(lock);
    return;
  }
  const std::uint64_t until = std::min(
      needs_.census ? schedule_.next_ns(now).value_or(~std::uint64_t{0}) : ~std::uint64_t{0},
      glanced_ns_ + kGlanceEvery);
  // Little more than what is asked for, so that no look is late by a wait of its own.
  if (until > now)
    wake_.wait_until(lock, time_point_of(until));
}

std::shared_ptr<CensusSubject> CensusThread::take(std::uint64_t now) {
  while (!forced_.empty()) {
    const auto found = processes_.find(forced_.front());
    forced_.pop_front();
    if (found != processes_.end())
      return found->second;
  }
  const auto next = needs_.census ? schedule_.take(now) : std::nullopt;
  return next ? processes_.at(*next) : nullptr;
}

LookOptions CensusThread::options() const {
  return {.needs = needs_,
          .census = config_,
          .walk_memory_bytes = guard_.free_bytes() / 2,
          .may_keep = !guard_.is_short_of_memory(),
          .stop = [this]() -> Result<> {
            if (is_stopping_)
              return fail(Errc::system, "the daemon is stopping");
            if (now_ns() > deadline_ns_)
              return fail(Errc::system, "looking at it took longer than {} s",
                          kLookTimeMax / kSecond);
            return {};
          }};
}

bool CensusThread::is_watched(const std::shared_ptr<CensusSubject> &watched) const {
  const auto found = processes_.find(watched->process.found().process.key);
  return found != processes_.end() && found->second == watched;
}

void CensusThread::look(Lock &lock, const std::shared_ptr<CensusSubject> &watched) {
  constexpr std::uint64_t kLargeNs = 100'000'000; // what takes so long takes memory too
  const std::uint64_t cpu_start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  CensusProcess &process = watched->process;
  looked_at_ = process.found().process.key;
  may_hold_free_memory_ = true;
  const LookOptions wanted = options();
  deadline_ns_ = now_ns() + kLookTimeMax;
  lock.unlock();
  if (process.has_not_run(wanted.needs)) {
    skip(lock, watched, cpu_start_ns);
  } else {
    auto looked = process.look(wanted);
    if (now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns > kLargeNs)
      ::malloc_trim(0);
    const std::uint64_t cost_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns;
    lock.lock();
    figures_.cpu_ns += cost_ns;
    if (is_watched(watched) && !is_stopping_) {
      if (looked)
        note(*watched, *looked, cost_ns);
      else
        note_failure(*watched, looked.error(), cost_ns);
      if (looked) {
        lock.unlock();
        hear_(*looked->sample);
        lock.lock();
      }
    }
  }
  looked_at_.reset();
  looked_.notify_all();
}

void CensusThread::skip(Lock &lock, const std::shared_ptr<CensusSubject> &watched,
                        std::uint64_t cpu_start_ns) {
  const std::uint64_t now = now_ns();
  CensusSample sample = watched->process.repeated(now);
  lock.lock();
  const std::uint64_t cost_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns;
  figures_.cpu_ns += cost_ns;
  if (!is_watched(watched) || is_stopping_)
    return;
  ++figures_.skipped;
  ++watched->told.census_skipped;
  schedule_.note_unchanged(watched->process.found().process.key, now, cost_ns);
  lock.unlock();
  hear_(std::move(sample));
  lock.lock();
}

void CensusThread::note(CensusSubject &watched, const ProcessLook &look, std::uint64_t cost_ns) {
  ++figures_.censuses;
  watched.young_tries = 0;
  watched.looked_ns = now_ns();
  watched.report = look.report;
  WatchedProcess &told = watched.told;
  told.state = WatchState::watched;
  told.problem.clear();
  told.census = look.shown;
  told.maps_unsettled = look.report->counts.unsettled_count;
  ++told.census_count;
  told.census_cpu_ns += cost_ns;
  told.census_last_cpu_ns = cost_ns;
  const ProcessKey key = watched.process.found().process.key;
  schedule_.note(key, watched.looked_ns, cost_ns, look.change);
  spdlog::debug("looked at process {}: {} maps, {:.1f} ms", key.pid, look.sample->map_count,
                static_cast<double>(cost_ns) / 1e6);
  if (!look.kept_snapshot.empty())
    spdlog::warn("process {} is near its memory limit: a snapshot of it is kept in {}", key.pid,
                 look.kept_snapshot);
  if (!look.snapshot_problem.empty())
    spdlog::error("process {} is near its memory limit, and no snapshot of it could be kept: {}",
                  key.pid, look.snapshot_problem);
}

// What has ended is told by who finds processes.
void CensusThread::note_failure(CensusSubject &watched, const Error &error, std::uint64_t cost_ns) {
  const ProcessKey key = watched.process.found().process.key;
  WatchedProcess &told = watched.told;
  told.census_cpu_ns += cost_ns;
  if (error.code() == Errc::gone) {
    schedule_.note_failure(key, now_ns(), cost_ns, kRetryRefused);
    return;
  }
  const bool is_young = error.code() == Errc::not_found && watched.young_tries++ < kYoungTries;
  schedule_.note_failure(key, now_ns(), cost_ns, is_young ? kRetryYoung : kRetryRefused);
  if (is_young)
    return;
  ++figures_.failures;
  ++told.census_failures;
  told.state = WatchState::refused;
  if (told.problem != error.message())
    spdlog::warn("process {} ({}) can't be looked at: {}", key.pid,
                 watched.process.found().process.exe, error.message());
  told.problem = error.message();
}

void CensusThread::answer_profile(Lock &lock) {
  const WantedProfile wanted = std::move(profiles_.front());
  profiles_.pop_front();
  const auto found = processes_.find(wanted.process);
  if (found == processes_.end()) {
    wanted.answer->set_value(fail(Errc::gone, "process {} has ended", wanted.process.pid));
    return;
  }
  const std::shared_ptr<CensusSubject> watched = found->second;
  const LookOptions look_options = options();
  deadline_ns_ = now_ns() + kLookTimeMax;
  lock.unlock();
  const std::uint64_t cpu_start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  if (watched->profile.empty() || now_ns() - watched->profiled_ns > kProfileFresh) {
    auto made = watched->process.profile(look_options);
    if (!made) {
      wanted.answer->set_value(std::unexpected(std::move(made).error()));
      lock.lock();
      return;
    }
    watched->profile = std::move(*made);
    watched->profiled_ns = now_ns();
  }
  wanted.answer->set_value(watched->profile);
  lock.lock();
  figures_.cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns;
}

// Now and then, what is cheap: who was idle and works again, and what we take ourselves.
void CensusThread::glance(Lock &lock) {
  // A fiftieth of a core since the last look; what does less can't change much.
  constexpr std::uint64_t kIdleShare = 50;
  constexpr std::uint64_t kIdleNs = 50'000'000;
  const std::uint64_t now = now_ns();
  if (now - glanced_ns_ < kGlanceEvery)
    return;
  glanced_ns_ = now;
  for (auto &[key, watched] : processes_) {
    if (watched->profiled_ns != 0 && now - watched->profiled_ns > kProfileFresh) {
      watched->profile = {};
      watched->profiled_ns = 0;
    }
    if (!schedule_.is_longer_than_usual(key) || watched->looked_ns == 0)
      continue;
    const auto ran_ns = watched->process.ran_ns();
    if (ran_ns && *ran_ns > kIdleNs && *ran_ns > (now - watched->looked_ns) / kIdleShare)
      schedule_.wake(key, now);
  }
  guard_.measure(now);
  if (guard_.is_short_of_memory()) {
    give_up_memory(false);
    lock.unlock();
    ::malloc_trim(0);
    lock.lock();
    guard_.measure_memory();
    if (guard_.is_short_of_memory())
      give_up_memory(true);
  }
  if (guard_.stretch() != schedule_.stretch())
    spdlog::warn(
        "censuses are {} times as far apart as they would be, for the limits of memory and "
        "CPU (limits.memory_bytes, limits.cpu_share)",
        guard_.stretch());
  schedule_.set_stretch(guard_.stretch());
  if (may_hold_free_memory_ && now - gave_back_ns_ > kGiveBackEvery)
    give_back_memory(lock);
}

// The allocator keeps what looks and programs that are gone have freed: tens of megabytes after
// some dozen programs, since small blocks that live on lie between large ones.
void CensusThread::give_back_memory(Lock &lock) {
  may_hold_free_memory_ = false;
  gave_back_ns_ = now_ns();
  lock.unlock();
  ::malloc_trim(0);
  lock.lock();
}

// Of those first that were looked at the longest ago.
void CensusThread::give_up_memory(bool all) {
  std::vector<std::shared_ptr<CensusSubject>> keepers;
  for (const auto &[key, watched] : processes_)
    if (watched->process.keeps_memory())
      keepers.push_back(watched);
  std::ranges::sort(keepers, {}, [](const auto &watched) { return watched->looked_ns; });
  if (!all)
    keepers.resize((keepers.size() + 1) / 2);
  for (const auto &watched : keepers) {
    watched->process.give_up_memory();
    ++figures_.memory_given_up;
  }
}

} // namespace mapscope
