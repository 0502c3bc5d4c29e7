// The thread that takes censuses, and what it and those who ask it share.
//
// What the thread works with is its own, but for the table of processes and the schedule: these are
// locked, and never while a process is looked at.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/error.h"
#include "pipeline/daemon/census_guard.h"
#include "pipeline/daemon/census_process.h"
#include "pipeline/daemon/census_runner.h"
#include "pipeline/daemon/census_schedule.h"
#include "report/maps_report.h"

namespace mapscope {

// What others are told of a process, and what the thread looks at it with.
struct CensusSubject {
  explicit CensusSubject(const FoundProcess &found) : process(found) {
    if (found.binary) {
      const BinaryFacts &facts = found.binary->facts();
      told.go_version = facts.go_version;
      told.map_implementation = facts.map_implementation == MapImplementation::swiss     ? "swiss"
                                : facts.map_implementation == MapImplementation::classic ? "classic"
                                                                                         : "";
    }
  }

  CensusProcess process; // the thread's
  std::string profile;   // the last one; the thread's
  std::uint64_t profiled_ns = 0;
  unsigned young_tries = 0;

  WatchedProcess told; // locked: all that describe() fills in
  std::shared_ptr<const MapsReport> report;
  std::uint64_t looked_ns = 0;
};

class CensusThread final : public CensusRunner {
public:
  CensusThread(const CensusConfig &config, const LimitsConfig &limits,
               std::function<void(CensusSample)> hear);
  ~CensusThread() override { stop(); }

  void add(const FoundProcess &process) override;
  void remove(ProcessKey process) override;
  void set_needs(const CensusNeeds &needs) override;
  void set_config(const CensusConfig &config, const LimitsConfig &limits) override;
  bool look_at_all(std::chrono::milliseconds timeout) override;
  void describe(WatchedProcess &process) const override;
  Result<std::shared_ptr<const std::string>> maps_json(ProcessKey process) const override;
  Result<std::string> profile(ProcessKey process) override;
  CensusRunnerFigures figures() const override;
  void stop() override;

private:
  using Lock = std::unique_lock<std::mutex>;
  using ProfileAnswer = std::promise<Result<std::string>>;
  struct WantedProfile {
    ProcessKey process;
    std::shared_ptr<ProfileAnswer> answer;
  };

  void run();
  void wait(Lock &lock);
  // What is next; null: nothing now.
  std::shared_ptr<CensusSubject> take(std::uint64_t now);
  LookOptions options() const;
  void look(Lock &lock, const std::shared_ptr<CensusSubject> &watched);
  void skip(Lock &lock, const std::shared_ptr<CensusSubject> &watched, std::uint64_t cpu_start_ns);
  void note(CensusSubject &watched, const ProcessLook &look, std::uint64_t cost_ns);
  void note_failure(CensusSubject &watched, const Error &error, std::uint64_t cost_ns);
  void answer_profile(Lock &lock);
  void glance(Lock &lock);
  void give_up_memory(bool all);
  void give_back_memory(Lock &lock);
  bool is_watched(const std::shared_ptr<CensusSubject> &watched) const;

  mutable std::mutex mutex_;
  std::condition_variable wake_, looked_;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<std::uint64_t> deadline_ns_ = 0; // of what is looked at

  CensusConfig config_;
  CensusNeeds needs_;
  std::function<void(CensusSample)> hear_;
  CensusGuard guard_;
  CensusSchedule schedule_;
  std::map<ProcessKey, std::shared_ptr<CensusSubject>> processes_;
  std::deque<ProcessKey> forced_; // before all others, whatever it costs
  std::optional<ProcessKey> looked_at_;
  std::deque<WantedProfile> profiles_;
  CensusRunnerFigures figures_;
  std::uint64_t glanced_ns_ = 0;
  std::uint64_t gave_back_ns_ = 0;
  bool may_hold_free_memory_ = false;

  std::thread thread_; // the last: it works with all of these
};

} // namespace mapscope
