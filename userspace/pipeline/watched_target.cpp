// One process under observation; see watched_target.h.
#include "pipeline/watched_target.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/duplicate.h"
#include "pipeline/attacher.h"

namespace mapscope {
Result<std::unique_ptr<WatchedTarget>> WatchedTarget::open(Tracer &tracer, BinaryCache &binaries,
                                                           ProcessInfo process,
                                                           const ProbeChoice &choice) {
  std::shared_ptr<ConfinedBinary> binary =
      TRY(binaries.open(TRY(duplicate(process.executable)), process.exe));
  ProbePlan plan = TRY(plan_probes(binary->facts(), choice));
  return std::unique_ptr<WatchedTarget>{
      new WatchedTarget{tracer, std::move(binary), std::move(plan), std::move(process)}};
}

Result<> WatchedTarget::place(std::uint32_t extra_flags) {
  auto pid = static_cast<pid_t>(process_.key.pid);
  target settings = plan_.settings;
  settings.flags |= extra_flags;
  if (load_bias_) {
    settings.flags |= TARGET_BIAS_KNOWN;
    settings.load_bias = load_bias_->value;
  }
  index_ = TRY(tracer_.add_target(pid, settings));
  std::optional<FileOffset> await_entry;
  if (!load_bias_)
    await_entry = facts().entry_offset;
  links_ = TRY(place_probes(tracer_, plan_, process_.executable, pid, index_, await_entry));
  tracer_.target_at(index_).flags |= TARGET_WATCHED;
  return {};
}

Result<std::unique_ptr<WatchedTarget>> WatchedTarget::running(Tracer &tracer, BinaryCache &binaries,
                                                              pid_t pid, const ProbeChoice &choice,
                                                              std::uint32_t extra_flags) {
  ProcessInfo process = TRY(find_process(pid));
  auto target = TRY(open(tracer, binaries, std::move(process), choice));
  target->plan_.settings.goroutine_seen = 1;
  target->load_bias_ = TRY(process_load_bias(pid, target->facts().entry));
  TRY(target->place(extra_flags));
  // The pid could have been reused between the first look and the probes.
  if (TRY(process_start_time(pid)) != target->process_.key.start_time_ns)
    return fail(Errc::gone, "process {} ended while its probes were placed", pid);
  return target;
}

Result<std::unique_ptr<WatchedTarget>> WatchedTarget::held(Tracer &tracer, BinaryCache &binaries,
                                                           pid_t pid, ResolvedCommand command,
                                                           const ProbeChoice &choice,
                                                           std::uint32_t extra_flags) {
  ProcessInfo process;
  process.key = {static_cast<std::uint32_t>(pid), TRY(process_start_time(pid))};
  process.exe = std::move(command.path);
  process.executable = std::move(command.file);
  auto target = TRY(open(tracer, binaries, std::move(process), choice));
  if (!target->facts().is_pie)
    target->load_bias_ = LoadBias{};
  target->awaits_exec_ = true;
  TRY(target->place(extra_flags | TARGET_AWAITS_EXEC));
  return target;
}

WatchedTarget::~WatchedTarget() {
  if (index_ != EVENT_NO_TARGET)
    tracer_.remove_target(index_);
}

WatchedTarget::Image WatchedTarget::running_image() const {
  Fd running{::open(fmt::format("/proc/{}/exe", process_.key.pid).c_str(), O_PATH | O_CLOEXEC)};
  if (!running)
    return Image::gone;
  return same_file(running, process_.executable) ? Image::same : Image::another;
}

} // namespace mapscope
