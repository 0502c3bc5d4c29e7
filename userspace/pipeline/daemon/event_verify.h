// When which process is verified: new ones from their start, all of them now and then, several
// together, and never for more than a small share of the time, since a window taxes every system
// call of the host.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "flow/daemon_config.h"
#include "flow/rule_input.h"
#include "pipeline/daemon/event_tuning.h"
#include "pipeline/daemon/event_window.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

// Time that comes back at some rate, and is saved up to a limit.
class TimeBudget {
public:
  TimeBudget(double share, std::uint64_t saved_max_ns, std::uint64_t now_ns)
      : share_(share), saved_max_ns_(saved_max_ns), saved_ns_(saved_max_ns), at_ns_(now_ns) {}
  // False: not enough is there, and nothing is taken.
  bool take(std::uint64_t time_ns, std::uint64_t now_ns);

private:
  double share_;
  std::uint64_t saved_max_ns_, saved_ns_, at_ns_;
};

// Used from one thread, but for what its windows say.
class EventVerify {
public:
  struct Figures {
    std::uint64_t windows = 0, probe_hits = 0, refused = 0;
    std::string verdict; // the last one
  };
  using Hear = std::function<void(RuleInput)>;

  // `wake`: that step() has something to do; from another thread.
  EventVerify(const EventTuning &tuning, BinaryCache &binaries, Hear hear,
              std::function<void()> wake);

  void configure(bool is_wanted, const VerifyConfig &config);
  void add(const FoundProcess &process, std::uint64_t now_ns);
  void remove(ProcessKey process);

  // Errors: no window could be opened at all; to be tried again later.
  Result<> step(std::uint64_t now_ns);
  std::optional<std::uint64_t> next_ns() const;
  // The window that is open is closed, with verdicts of what was seen.
  void stop();

  bool system_calls_attached() const { return attached_; } // from any thread
  std::uint64_t windows() const { return windows_; }
  std::uint64_t probe_hits() const { return probe_hits_; }
  Figures figures(ProcessKey process) const;
  const std::map<std::string, std::uint64_t> &lost() const { return lost_; }

private:
  struct Subject {
    FoundProcess process;
    bool wants_start = false;            // its start is still to be verified
    std::optional<std::uint64_t> due_ns; // by the schedule
    bool is_in_window = false;
    Figures figures;
  };

  void schedule(Subject &subject, std::uint64_t now_ns) const;
  void take_outcomes();
  void take(VerifyWindow::Outcome outcome);
  void start_those_at_start(std::uint64_t now_ns);
  void start_those_due(std::uint64_t now_ns);
  void open(std::vector<VerifyWindow::Target> targets);

  const EventTuning &tuning_;
  BinaryCache &binaries_;
  Hear hear_;
  std::function<void()> wake_;
  bool is_wanted_ = false;
  VerifyConfig config_;
  std::map<ProcessKey, Subject> subjects_;
  TimeBudget scheduled_, at_start_;
  std::uint64_t retry_at_ns_ = 0;    // no window before
  std::uint64_t schedule_at_ns_ = 0; // none of the schedule before
  std::uint64_t window_end_ns_ = 0;  // of the one that is open
  std::uint64_t windows_ = 0, probe_hits_ = 0;
  std::map<std::string, std::uint64_t> lost_;

  std::atomic<bool> attached_{false};
  std::mutex mutex_; // what windows have said
  std::vector<VerifyWindow::Outcome> outcomes_;
  bool has_ended_ = false;
  std::string problem_;
  std::map<std::string, std::uint64_t> window_lost_;

  std::unique_ptr<VerifyWindow> window_; // last: its thread uses the above
};

} // namespace mapscope
