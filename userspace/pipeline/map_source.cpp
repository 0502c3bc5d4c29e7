// Each source ends in the same four things: memory, facts, load bias, and when it was read.
#include "pipeline/map_source.h"

#include <fcntl.h>

#include "attach/process.h"
#include "base/clock.h"
#include "base/duplicate.h"
#include "binary/confined_parser.h"
#include "memory/core_file.h"
#include "memory/live_process.h"
#include "memory/mappings.h"

namespace mapscope {
namespace {

Result<Fd> open_file(const std::string &path) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; // a pipe must not hold us
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  return file;
}

// The auxiliary vector says it best, but is a file of the user's own: CAP_SYS_PTRACE alone does not
// open that of another user.
Result<LoadBias> load_bias_in(LiveProcess &process, pid_t pid, const SnapshotProcess &known) {
  auto bias = process_load_bias(pid, known.facts->entry);
  if (bias || bias.error().code() != Errc::denied)
    return bias;
  return load_bias_of(TRY(process.mappings()), known.exe, *known.facts);
}

// What the executable says is asked for later, when it is needed.
void ask(MapSource &source, std::shared_ptr<ConfinedBinary> binary) {
  source.process.facts = binary->shared_facts();
  source.symbolizer = binary;
  source.roots = std::move(binary);
}

} // namespace

Result<MapSource> open_process(pid_t pid) {
  ProcessInfo info = TRY(find_process(pid));
  return open_process(info.key, info.exe,
                      TRY(ConfinedBinary::open(std::move(info.executable), info.exe)));
}

Result<MapSource> open_process(ProcessKey process, const std::string &exe,
                               std::shared_ptr<ConfinedBinary> binary) {
  MapSource source;
  ask(source, std::move(binary));
  source.process.pid = process.pid;
  source.process.exe = exe;
  const auto pid = static_cast<pid_t>(process.pid);
  std::unique_ptr<LiveProcess> memory = TRY(LiveProcess::open(process));
  source.process.load_bias = TRY(load_bias_in(*memory, pid, source.process));
  source.memory = std::move(memory);
  source.process.wall_time_ns = now_ns(CLOCK_REALTIME);
  source.description = fmt::format("process {}", pid);
  source.is_live = true;
  return source;
}

Result<MapSource> open_process(pid_t pid, BinaryCache &binaries) {
  ProcessInfo info = TRY(find_process(pid));
  auto binary = TRY(binaries.open(std::move(info.executable), info.exe));
  return open_process(info.key, info.exe, std::move(binary));
}

Result<MapSource> open_core_file(const std::string &path, const std::string &exe) {
  std::unique_ptr<CoreFile> core = TRY(CoreFile::open(TRY(open_file(path)), path));
  std::string executable = exe.empty() ? core->exe() : exe;
  if (executable.empty())
    return fail(Errc::not_found, "{} does not say which program it is of; give it with --exe",
                path);
  Fd file = TRY_WHILE(open_file(executable), "the program of {} (--exe names another place)", path);
  MapSource source;
  ask(source, TRY(ConfinedBinary::open(TRY(duplicate(file)), executable)));
  if (core->entry().value == 0)
    return fail(Errc::unsupported, "{} does not say where its program was loaded (no AT_ENTRY)",
                path);
  source.process.load_bias = {core->entry().value - source.process.facts->entry.value};
  TRY(core->set_executable(std::move(file)));
  source.process.pid = static_cast<std::uint32_t>(core->pid());
  source.process.exe = executable;
  source.memory = std::move(core);
  source.description = fmt::format("core file {}", path);
  return source;
}

Result<MapSource> open_snapshot(const std::string &path) {
  std::unique_ptr<Snapshot> snapshot = TRY(Snapshot::open(TRY(open_file(path)), path));
  MapSource source;
  source.process = snapshot->process();
  source.symbolizer = snapshot->answers();
  source.roots = snapshot->answers();
  source.memory = std::move(snapshot);
  // Without its path: the answer is the same wherever the file lies.
  source.description = fmt::format("snapshot of process {}", source.process.pid);
  return source;
}

} // namespace mapscope
