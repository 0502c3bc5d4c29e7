// Moments of watching who makes and grows maps, of one process after the other: placed when the
// process has earned what they cost it, and gone again at most a tenth of a second later.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attach/cpu_clock.h"
#include "attach/governor.h"
#include "attach/plan.h"
#include "flow/daemon_config.h"
#include "flow/rule_input.h"
#include "kernel/site_counter.h"
#include "pipeline/daemon/event_rates.h"
#include "pipeline/daemon/event_tuning.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

// Used from one thread. Nothing here blocks for longer than placing or taking off one link.
class EventFlashes {
public:
  struct Figures {
    std::uint64_t flashes = 0, hits = 0, cost_ns = 0, refused = 0;
  };
  using Hear = std::function<void(RuleInput)>;

  EventFlashes(const EventTuning &tuning, Hear hear) : tuning_(tuning), hear_(std::move(hear)) {}

  // `share` of the CPU time that a process uses itself. Other operations: all begins anew.
  void configure(OperationSet operations, double share);
  bool is_wanted() const { return operations_.any(); }
  void add(const FoundProcess &process);
  void remove(ProcessKey process);

  // Does what is due. Errors: the program can't be loaded at all; to be tried again later.
  Result<> step(std::uint64_t now_ns);
  // When step() has something to do again; nothing: not before a change.
  std::optional<std::uint64_t> next_ns() const;
  // Whether the moment that is being watched is not over: then step() has nothing to do until the
  // next next_ns().
  bool goes_on(std::uint64_t now_ns);
  // Takes the probes off, if there are any, and unloads the program.
  void stop();

  Figures figures(ProcessKey process) const;
  const Figures &totals() const { return totals_; }
  const std::map<std::string, std::uint64_t> &lost() const { return lost_; }

private:
  struct Point {
    ProbePoint probe;
    map_operation operation = MAP_OPERATION_NONE;
  };
  struct Subject {
    Subject(const FoundProcess &found, CpuClock clock, const FlashPlan &flash_plan)
        : process(found), cpu(clock), plan(flash_plan) {}

    FoundProcess process;
    CpuClock cpu;
    FlashPlan plan;
    std::optional<LoadBias> bias; // once it was watched: an exec tells it late
    std::vector<Point> points;
    std::uint64_t hit_ns = 0;
    std::uint64_t image = 0;
    std::uint64_t look_at_ns = 0, cpu_seen_ns = 0;
    std::size_t turns = 0; // of functions, where they are probed one by one
    RateAccount account;
    std::uint64_t span_start_ns = 0, span_cpu_ns = 0; // since the last sample
    std::uint64_t lost = 0;
    bool told_sites = false; // by the last sample
    Figures figures;
  };
  struct Active {
    ProcessKey process;
    UprobeLinks links;
    OperationSet operations;
    Flash flash;
    std::uint64_t placing_ns = 0, placing_cpu_ns = 0, start_ns = 0, start_cpu_ns = 0;
    std::uint64_t look_at_ns = 0; // at its hits
    map_site_counts before{};
  };
  using Subjects = std::map<ProcessKey, Subject>;

  Subject *find(ProcessKey process);
  std::optional<Subject> subject_of(const FoundProcess &process) const;
  Result<> look(std::uint64_t now_ns);
  std::optional<Flash> wants_flash(Subject &subject, std::uint64_t now_ns) const;
  Result<> begin(Subject &subject, const Flash &flash);
  Result<> place(Subject &subject, Active &active);
  void end();
  void finish(Active active);
  void rest_after(std::uint64_t own_cpu_ns);
  void note_losses(Subject &subject, const map_site_counts &before, const map_site_counts &after);
  void tell_rates(Subject &subject, std::uint64_t now_ns);
  void refuse(Subject &subject, std::uint64_t now_ns);
  std::uint64_t as_ns(std::chrono::milliseconds time) const {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds{time}.count());
  }

  const EventTuning &tuning_;
  Hear hear_;
  OperationSet operations_;
  double share_ = 0.01;
  std::optional<SiteCounter> counter_; // loaded with the first flash
  Subjects subjects_;
  std::optional<Active> active_;
  std::uint64_t look_at_ns_ = 0;  // the next round
  std::uint64_t place_at_ns_ = 0; // not before: what it cost us has to be earned
  Figures totals_;
  std::map<std::string, std::uint64_t> lost_;
};

} // namespace mapscope
