// Calls of bpf(2) on maps, counted while a window is open: lookups, updates, deletes, how updates
// failed, and a sample of the keys that are looked up. Where the kernel has a probe point in the
// update functions themselves, failures of programs as well.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace mapscope {

struct MapCalls {
  std::uint64_t lookups = 0, updates = 0, deletes = 0; // through bpf(2); a batch counts its entries
  std::map<int, std::uint64_t> system_failures;        // of updates, by errno
  std::map<int, std::uint64_t> program_failures;       // of updates by programs
  std::uint64_t program_updates = 0;                   // where sees_programs
  std::uint64_t program_deletes = 0;
  std::vector<std::vector<std::byte>> looked_up; // keys of a sample of lookups
};

struct CallWindowAnswer {
  std::uint64_t window_ns = 0;
  std::map<std::uint32_t, MapCalls> calls; // by id of the map; who is not in it had none
  bool sees_programs = false;              // updates and deletes by programs were seen too
  std::string programs_unseen;             // why not, a phrase
  std::uint64_t lost = 0;                  // calls on no map that could be named, or without room
};

class CallWindow {
public:
  // Loads; nothing is attached. Errors: denied, unsupported, system.
  static Result<CallWindow> load();
  CallWindow(CallWindow &&) noexcept;
  CallWindow &operator=(CallWindow &&) noexcept;
  ~CallWindow();

  // While it is open every system call of the host is taxed by some 0.05 microseconds: keep it
  // short. `sample_keys_of`: ids of maps whose looked-up keys are wanted.
  Result<void> open(const std::vector<std::uint32_t> &sample_keys_of = {});
  Result<CallWindowAnswer> close(); // nothing stays attached

private:
  struct State;
  explicit CallWindow(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
