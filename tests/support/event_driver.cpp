// The daemon's watcher of events by itself, for benchmarks and for a look by hand: watches the
// processes whose numbers it is given, and prints what it hears as lines of JSON.
//
//   event_driver --growth --creation --misuse --verify [--seconds S] [--window S] PID...
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "attach/process.h"
#include "base/clock.h"
#include "pipeline/daemon/event_watcher.h"
#include "wire/samples_json.h"

namespace mapscope {
namespace {

struct DriverOptions {
  RuleNeeds needs;
  std::vector<pid_t> pids;
  unsigned seconds = 60, window = 60;
  double share = 0.01;
};

std::optional<FoundProcess> found(pid_t pid, BinaryCache &binaries) {
  auto process = find_process(pid);
  if (!process)
    return std::nullopt;
  FoundProcess found;
  found.process.key = process->key;
  found.process.exe = process->exe;
  auto binary = binaries.open(std::move(process->executable), process->exe);
  if (!binary)
    return std::nullopt;
  found.binary = *binary;
  return found;
}

void print_figures(const EventWatcher &watcher, const std::vector<FoundProcess> &processes) {
  const EventWatcherFigures figures = watcher.figures();
  fmt::print(stderr, "flashes {} hits {} windows {} problem '{}' cpu {} ms\n", figures.flashes,
             figures.hits, figures.verify_windows, figures.problem,
             now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1'000'000);
  for (const auto &[name, count] : figures.lost)
    fmt::print(stderr, "lost {} {}\n", name, count);
  for (const FoundProcess &process : processes) {
    WatchedProcess shown;
    shown.process = process.process;
    watcher.describe(shown);
    fmt::print(stderr, "pid {} hits {} flashes {} probes {} refused {} cost {} us verdict '{}'\n",
               process.process.key.pid, shown.probe_hits, shown.flashes, shown.probes_attached,
               shown.probes_refused, shown.probe_cost_ns / 1000, shown.verdict);
  }
}

int drive(const DriverOptions &options) {
  BinaryCache binaries{{}, CacheLimits{}}; // before there are threads, as in the daemon
  std::mutex mutex;
  EventTuning tuning;
  tuning.rate_window = std::chrono::seconds{options.window};
  EventsConfig events;
  events.cpu_share = options.share;
  VerifyConfig verify;
  verify.every = std::chrono::seconds{2};
  verify.for_ = std::chrono::seconds{2};
  auto watcher = EventWatcher::start(
      events, verify, binaries,
      [&](RuleInput input) {
        const std::scoped_lock lock{mutex};
        fmt::print("{}\n", sample_to_line(input));
        std::fflush(stdout);
      },
      tuning);
  watcher->set_needs(options.needs);
  std::vector<FoundProcess> processes;
  for (pid_t pid : options.pids)
    if (auto process = found(pid, binaries)) {
      processes.push_back(*process);
      watcher->add(*process);
    }
  for (unsigned i = 0; i < options.seconds; ++i)
    std::this_thread::sleep_for(std::chrono::seconds{1});
  print_figures(*watcher, processes);
  const std::uint64_t before = now_ns();
  watcher->stop();
  fmt::print(stderr, "stopped within {} ms\n", (now_ns() - before) / 1'000'000);
  return processes.empty() ? 1 : 0;
}

} // namespace
} // namespace mapscope

int main(int count, char **words) {
  mapscope::DriverOptions options;
  CLI::App app{"watches events of processes"};
  app.add_flag("--growth", options.needs.growth_rates);
  app.add_flag("--creation", options.needs.creation_rates);
  app.add_flag("--misuse", options.needs.misuse);
  app.add_flag("--verify", options.needs.verify);
  app.add_option("--seconds", options.seconds);
  app.add_option("--window", options.window);
  app.add_option("--share", options.share);
  app.add_option("pids", options.pids)->required();
  CLI11_PARSE(app, count, words);
  return mapscope::drive(options);
}
