// How often programs call into maps, estimated: run counts, which the kernel keeps only while
// somebody asks it to, times the call sites of their code.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct ProgramCallRates {
  BpfRate lookups, updates, deletes;
};

struct ProgramCallsAnswer {
  std::uint64_t window_ns = 0;
  // By id of the map. Those that programs name, and those that are in a map of maps of a program
  // that ran: of these there is an upper bound only.
  std::map<std::uint32_t, ProgramCallRates> rates;
  std::vector<std::string> problems;
};

class ProgramCalls {
public:
  static ProgramCalls start();
  ProgramCalls(ProgramCalls &&) noexcept;
  ProgramCalls &operator=(ProgramCalls &&) noexcept;
  ~ProgramCalls();

  // From begin() to end() the kernel counts runs (20 to 70 ns a run, for every program of the
  // host). Code is read once for each program. A rate is of the runs that ended in the window; not
  // in it is what a program did that was loaded and unloaded within. Errors: denied (also: kernel
  // addresses are hidden), unsupported, system.
  Result<void> begin();
  Result<ProgramCallsAnswer> end();

private:
  struct State;
  explicit ProgramCalls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
