// `verify` behind the records: attributes the system calls of every target of a run, and judges.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attribute/call_attributor.h"
#include "flow/run_observer.h"
#include "judge/verify_judge.h"

namespace mapscope {

// Needs records of a run whose settings had emit_memory_calls; takes no notice of operations,
// which the kernel side counts.
class VerifyAnalysis final : public RunObserver {
public:
  void start(const RunStart &start) override { machine_ = start.machine; }
  void target_start(const TargetStart &start) override;
  void record(std::span<const std::byte> record) override;
  void drained() override;
  void remark(const Remark &remark) override;
  void target_end(const TargetEnd &end) override;
  void end(const RunEnd &end) override;

  // After the end of the run, once. Errc::malformed: the run was about no process.
  Result<Verdict> verdict();

private:
  struct Target {
    TargetStart start;
    std::unique_ptr<CallAttributor> attributor;
    bool knows_load_bias = false;
  };

  void set_load_bias(Target &target, LoadBias bias);
  void take(const Event &event);
  template <typename Call> void take_call(const event_header &header, const Call &call);
  void note_attribution(const CallAttributor::Counts &counts);

  Machine machine_ = Machine::amd64;
  VerifyJudge judge_;
  std::map<std::uint32_t, Target> targets_; // by index
  std::optional<TargetStart> first_;        // whom the report is about
  VerifyCounts counts_;
  VerifyRun run_;
};

} // namespace mapscope
