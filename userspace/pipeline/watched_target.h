// One process under observation: its executable's facts and its probes.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attach/plan.h"
#include "attach/process.h"
#include "binary/confined_parser.h"
#include "kernel/tracer.h"

namespace mapscope {

class WatchedTarget {
public:
  // A process that runs already. Its probes are placed and its calls are counted from the
  // moment this returns. `extra_flags` of enum target_flag.
  static Result<std::unique_ptr<WatchedTarget>> running(Tracer &tracer, BinaryCache &binaries,
                                                        pid_t pid, const ProbeChoice &choice,
                                                        std::uint32_t extra_flags);
  // A process that is held before the exec of `command`.
  static Result<std::unique_ptr<WatchedTarget>> held(Tracer &tracer, BinaryCache &binaries,
                                                     pid_t pid, ResolvedCommand command,
                                                     const ProbeChoice &choice,
                                                     std::uint32_t extra_flags);
  ~WatchedTarget();
  WatchedTarget(const WatchedTarget &) = delete;
  WatchedTarget &operator=(const WatchedTarget &) = delete;

  std::uint32_t index() const { return index_; }
  const ProcessInfo &process() const { return process_; }
  const std::shared_ptr<ConfinedBinary> &binary() const { return binary_; }
  const BinaryFacts &facts() const { return binary_->facts(); }
  const ProbePlan &plan() const { return plan_; }
  // Absent: the image has not reached its first instruction, which will tell.
  std::optional<LoadBias> load_bias() const { return load_bias_; }
  void set_load_bias(LoadBias bias) { load_bias_ = bias; }

  // Whether /proc/PID/exe is still the file that the probes were planned for.
  enum class Image { same, another, gone };
  Image running_image() const;
  // Whether the exec that it was held before was still to come. It has come now.
  bool take_awaited_exec() { return std::exchange(awaits_exec_, false); }
  // Takes the probes off. The counters stay readable.
  void detach() { links_.clear(); }
  bool has_probes() const { return !links_.empty(); }
  // As detach(), for who takes those of several off together.
  std::vector<UprobeLinks> take_links() { return std::exchange(links_, {}); }

private:
  WatchedTarget(Tracer &tracer, std::shared_ptr<ConfinedBinary> binary, ProbePlan plan,
                ProcessInfo process)
      : tracer_(tracer), binary_(std::move(binary)), plan_(std::move(plan)),
        process_(std::move(process)) {}
  static Result<std::unique_ptr<WatchedTarget>>
  open(Tracer &tracer, BinaryCache &binaries, ProcessInfo process, const ProbeChoice &choice);
  Result<> place(std::uint32_t extra_flags);

  Tracer &tracer_;
  std::shared_ptr<ConfinedBinary> binary_;
  ProbePlan plan_;
  ProcessInfo process_;
  std::uint32_t index_ = EVENT_NO_TARGET;
  std::optional<LoadBias> load_bias_;
  bool awaits_exec_ = false;
  std::vector<UprobeLinks> links_;
};

} // namespace mapscope
