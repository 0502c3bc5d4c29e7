// Which kernel runs, for tests whose truth depends on it.
#pragma once

#include <cstdio>
#include <utility>

#include <sys/utsname.h>

namespace mapscope::testing {

inline bool kernel_is_before(int major, int minor) {
  utsname names{};
  std::pair<int, int> release;
  return ::uname(&names) == 0 &&
         std::sscanf(names.release, "%d.%d", &release.first, &release.second) == 2 &&
         release < std::pair{major, minor};
}

} // namespace mapscope::testing
