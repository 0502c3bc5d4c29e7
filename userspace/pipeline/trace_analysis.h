// `trace` behind the records: attributes what every target of a run does, and hands it on in the
// order of time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attribute/trace_attributor.h"
#include "flow/event.h"
#include "flow/run_observer.h"
#include "flow/trace_event.h"
#include "flow/trace_summary.h"

namespace mapscope {

// Where trace events go.
class TraceSink {
public:
  virtual ~TraceSink() = default;
  virtual void start(const RunStart &) {}
  virtual void target(const TargetStart &) {}
  virtual void event(const TraceEvent &) = 0;
  virtual void flush() {} // nothing more is ready now
  virtual void end(const TraceEnd &) {}
};

class TraceAnalysis final : public RunObserver {
public:
  explicit TraceAnalysis(TraceSink &sink) : sink_(sink) {}

  void start(const RunStart &start) override { sink_.start(start); }
  void target_start(const TargetStart &start) override;
  void record(std::span<const std::byte> record) override;
  void drained() override;
  void goroutines(const GoroutineSnapshot &snapshot) override;
  void remark(const Remark &remark) override;
  void target_end(const TargetEnd &end) override;
  void end(const RunEnd &end) override;

private:
  struct Target {
    TargetStart start;
    std::unique_ptr<TraceAttributor> attributor;
  };

  template <typename Body> void take(const event_header &header, const Body &body);
  void hand_on(std::vector<TraceEvent> events);

  TraceSink &sink_;
  std::map<std::uint32_t, Target> targets_; // by index
  TraceEnd end_;
  TraceAttributor::Counts attribution_;
};

} // namespace mapscope
