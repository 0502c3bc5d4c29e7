// Opens the executables of processes on threads of its own, some at a time: a file on a network
// that is gone may hold who opens it for good, and parsing takes its time.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "attach/identity.h"
#include "binary/confined_parser.h"
#include "flow/daemon_config.h"
#include "flow/process_identity.h"

namespace mapscope {

enum class OpenedAs : std::uint8_t {
  go,       // `binary`, or `problem`
  no_go,    // another program
  excluded, // a Go program that the watch lists don't let through; it was not parsed
  gone,     // it ended, or runs something else now
  denied,   // who runs this may not look at it
};

struct OpenedExecutable {
  pid_t pid = 0;
  OpenedAs as = OpenedAs::gone;
  ProcessIdentity process;        // go, excluded
  FileIdentity file;              // of the executable; not gone
  std::uint64_t stack_start = 0;  // tells one exec of a process from the next
  std::uint64_t looked_at_ns = 0; // CLOCK_MONOTONIC, before
  std::shared_ptr<ConfinedBinary> binary;
  std::string problem;
};

// Whether the lists let it through.
bool is_watched(const WatchConfig &config, const ProcessIdentity &process);

// Used from one thread.
class ExecutableOpener {
public:
  // `binaries` is not used any more once this is destroyed: parsing that is in progress is
  // stopped with it. `threads_max`: 0: one for each CPU.
  ExecutableOpener(BinaryCache &binaries, std::size_t threads_max = 0);
  ExecutableOpener(const ExecutableOpener &) = delete;
  ExecutableOpener &operator=(const ExecutableOpener &) = delete;
  ~ExecutableOpener();

  void open(pid_t pid, std::shared_ptr<const WatchConfig> config);
  std::size_t pending() const; // that were not taken yet
  // Those that are ready; waits for more until none is pending or the time is over.
  std::vector<OpenedExecutable> take(std::chrono::milliseconds patience);

private:
  struct Shared;
  static void work(const std::shared_ptr<Shared> &shared);
  void add_threads(); // with the lock held

  std::shared_ptr<Shared> shared_;
  std::size_t threads_max_;
};

} // namespace mapscope
