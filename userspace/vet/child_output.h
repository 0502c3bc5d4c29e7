// A program that is run for what it prints: with a deadline, and a limit on what is kept.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"

namespace mapscope {

struct ChildLimits {
  std::chrono::milliseconds time{600'000};
  std::size_t output_bytes = 32 << 20; // of either stream
};

struct ChildOutput {
  std::string out, error; // standard output and standard error
  int status = 0;         // as waitpid(2) has it
};

// Runs `words` (found in PATH) in `directory` with our environment and nothing on standard input.
// What still runs at the deadline is killed with all that it started. Errors: not_found (no such
// program), system (too slow, or it said more than the limit).
Result<ChildOutput> run_for_output(std::vector<std::string> words, const std::string &directory,
                                   const ChildLimits &limits);

} // namespace mapscope
