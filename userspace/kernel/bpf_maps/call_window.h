// Calls of bpf(2) on maps, counted while a window is open: lookups, updates, deletes, how updates
// failed, and a sample of the keys that are looked up. Where the kernel has a probe point in the
// update functions themselves, failures of programs as well.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace mapscope {

// Calls count when they end, whatever their outcome. What is not counted: get_next_key, freezing,
// calls of this process, maps that programs of type `syscall` touch (they make no system call).
struct MapCalls {
  // Through bpf(2); a batch counts the entries that it came to, the failing one included.
  std::uint64_t lookups = 0, updates = 0, deletes = 0;
  std::map<int, std::uint64_t> system_failures;  // of updates, by errno
  std::map<int, std::uint64_t> program_failures; // of updates by programs
  std::uint64_t program_updates = 0;             // where CallWindowAnswer::sees_programs_of()
  std::uint64_t program_deletes = 0;
  // Lookups by programs, at least so many: only in hash and LRU hash maps whose keys are sampled,
  // and only those that come by the probe. 0 says nothing.
  std::uint64_t program_lookups = 0;
  // Keys of a sample of lookups, the first 64 bytes of each: a reservoir, in which every single
  // lookup of the window is as likely as any other (batches ask for no key, and are not in it).
  std::vector<std::vector<std::byte>> looked_up;         // through bpf(2)
  std::vector<std::vector<std::byte>> program_looked_up; // those in program_lookups
  std::uint64_t looked_up_of = 0; // how many lookups of either kind both were taken of
};

struct CallWindowAnswer {
  std::uint64_t window_ns = 0;
  std::map<std::uint32_t, MapCalls> calls;  // by id of the map; who is not in it had none
  bool sees_programs = false;               // updates and deletes by programs were seen too
  std::vector<std::uint32_t> program_types; // of maps of these types (enum bpf_map_type) only
  std::string programs_unseen;              // why not, a phrase
  std::uint64_t lost = 0;                   // calls on no map that could be named, or without room
  std::map<std::string, std::uint64_t> lost_by_name; // the same, by what was lost

  bool sees_programs_of(std::uint32_t map_type) const {
    return std::ranges::find(program_types, map_type) != program_types.end();
  }
};

class CallWindow {
public:
  // Loads; nothing is attached. Errors: denied, unsupported, system.
  static Result<CallWindow> load();
  CallWindow(CallWindow &&) noexcept;
  CallWindow &operator=(CallWindow &&) noexcept;
  ~CallWindow();

  // While it is open every system call of the host is taxed by some 0.09 microseconds: keep it
  // short. `sample_keys_of`: ids of maps whose looked-up keys are wanted, 16 at most; they share
  // room for 4,096 keys. Errors: usage (it is open, or too many maps), denied, unsupported, system.
  Result<void> open(const std::vector<std::uint32_t> &sample_keys_of = {});
  // Nothing stays attached. Errors: usage (it is not open).
  Result<CallWindowAnswer> close();

private:
  struct State;
  explicit CallWindow(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
