// A pipe to a program that a test starts.
#pragma once

#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include "base/handle.h"

namespace mapscope::testing {

struct Pipe {
  Fd read, write;
};

inline Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    std::abort();
  return {Fd{ends[0]}, Fd{ends[1]}};
}

} // namespace mapscope::testing
