// Which Go programs run on this host, and which of them are to be looked at: found by a scan of
// /proc and by the kernel's word of every exec.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "binary/confined_parser.h"
#include "flow/daemon_config.h"
#include "flow/process_identity.h"

namespace mapscope {

struct FoundProcess {
  ProcessIdentity process;
  std::shared_ptr<ConfinedBinary> binary; // null: `problem` says why
  std::string problem; // a Go program that can't be looked at, a sentence; empty: it can
};

struct ProcessChanges {
  std::vector<FoundProcess> appeared;
  std::vector<ProcessKey> ended; // also those that the watch lists let through no more
};

struct ProcessFinderFigures {
  std::uint64_t processes_seen = 0, execs_seen = 0, exec_events_lost = 0;
  std::uint64_t scans = 0;
  std::uint64_t left_out = 0;   // more Go programs than WatchConfig::processes_max
  std::uint64_t excluded = 0;   // Go programs that the watch lists don't let through
  std::uint64_t unreadable = 0; // processes of which nothing can be told, Go programs or not:
                                // their executable must not be read (CAP_SYS_PTRACE is missing)
  std::string feed_problem;     // why execs are found by scans only; empty: the kernel tells
};

enum class ExecNews : std::uint8_t {
  from_kernel, // where it tells
  none,        // scans only, for tests
};

// Used from one thread.
class ProcessFinder {
public:
  virtual ~ProcessFinder() = default;
  // Without BPF it scans more often, and says so in its figures.
  static std::unique_ptr<ProcessFinder> start(const WatchConfig &config, BinaryCache &binaries,
                                              ExecNews news = ExecNews::from_kernel);

  // What changed since the last time; the first time, everything that runs. To be called about once
  // a second: a process that did not live from one call to the next is never looked at.
  virtual ProcessChanges look() = 0;
  // Everything that ran at the first look has been told.
  virtual bool is_complete() const = 0;
  // Other watch lists from the next look on.
  virtual void set_watch(const WatchConfig &config) = 0;
  virtual ProcessFinderFigures figures() const = 0;
};

} // namespace mapscope
