// What the daemon's censuses take of CPU and memory for many processes at once.
//
//   daemon_census_benchmark COUNT ROUNDS PROGRAM [ARGUMENT...]
//
// Starts so many copies of the program, waits until each has printed something, and looks at all of
// them so many times. One line for each round: CPU time, of it for one process, what that is of a
// core at one round a minute, processes that had not run, and our own resident memory.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/memory_limits.h"
#include "attach/process.h"
#include "base/clock.h"
#include "base/handle.h"
#include "binary/confined_parser.h"
#include "pipeline/daemon/census_runner.h"

namespace mapscope {
namespace {

struct Program {
  pid_t pid = -1;
  Fd input, output;
};

Program start(char **argv) {
  int input[2], output[2];
  if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
    return {};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  Program program;
  if (::posix_spawn(&program.pid, argv[0], &actions, nullptr, argv, environ) != 0)
    program.pid = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(output[1]);
  program.input = Fd{input[1]};
  program.output = Fd{output[0]};
  char text[4096];
  if (program.pid > 0 && ::read(program.output.get(), text, sizeof(text)) <= 0)
    std::fprintf(stderr, "process %d says nothing\n", program.pid);
  return program;
}

double resident_mib() {
  const auto own = MemoryLimitReader{}.read(::getpid(), {});
  return own ? static_cast<double>(own->resident_bytes) / (1 << 20) : 0;
}

int run(int count, int rounds, char **argv) {
  BinaryCache binaries;
  std::vector<Program> programs;
  CensusConfig config;
  config.cpu_share = 1;
  config.snapshot_directory.clear();
  const auto runner = CensusRunner::start(config, {}, [](const CensusSample &) {});
  runner->set_needs({.census = false, .min_bytes = 32 << 20, .limits = true});
  std::printf("before: %.1f MiB\n", resident_mib());
  for (int i = 0; i < count; ++i) {
    programs.push_back(start(argv));
    auto info = find_process(programs.back().pid);
    if (!info)
      return std::fprintf(stderr, "%s\n", info.error().message().c_str()), 1;
    auto binary = binaries.open(std::move(info->executable), info->exe);
    if (!binary)
      return std::fprintf(stderr, "%s\n", binary.error().message().c_str()), 1;
    runner->add({.process = {.key = info->key, .exe = info->exe}, .binary = *binary});
  }
  std::printf("%d processes: %.1f MiB\n", count, resident_mib());
  CensusRunnerFigures before;
  for (int round = 0; round < rounds; ++round) {
    if (!runner->look_at_all(std::chrono::minutes{5}))
      return std::fprintf(stderr, "not done in time\n"), 1;
    const CensusRunnerFigures now = runner->figures();
    const double cpu_ms = static_cast<double>(now.cpu_ns - before.cpu_ns) / 1e6;
    std::printf(
        "round %d: %.1f ms, %.2f ms each, %.3f %% of a core at one a minute; %lu looked at, "
        "%lu had not run, %lu failures; %.1f MiB\n",
        round, cpu_ms, cpu_ms / count, cpu_ms / 60'000 * 100,
        static_cast<unsigned long>(now.censuses - before.censuses),
        static_cast<unsigned long>(now.skipped - before.skipped),
        static_cast<unsigned long>(now.failures - before.failures), resident_mib());
    std::fflush(stdout);
    before = now;
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
  runner->stop();
  for (Program &program : programs) {
    ::kill(program.pid, SIGKILL);
    ::waitpid(program.pid, nullptr, 0);
  }
  return 0;
}

} // namespace
} // namespace mapscope

int main(int argc, char **argv) {
  if (argc < 4)
    return std::fprintf(stderr, "usage: %s COUNT ROUNDS PROGRAM [ARGUMENT...]\n", argv[0]), 2;
  return mapscope::run(std::atoi(argv[1]), std::atoi(argv[2]), argv + 3);
}
