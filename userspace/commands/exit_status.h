// What the exit status of every command says.
#pragma once

#include "base/error.h"

namespace mapscope {

enum class ExitStatus : int {
  done = 0,           // and nothing found; for verify: clean
  found = 1,          // a violation, or a rule that was hit
  usage = 2,          // the command line makes no sense
  could_not_tell = 3, // lost events, an unsupported binary, nothing observed
  not_permitted = 4,
  target_gone = 5,
};

constexpr int as_int(ExitStatus status) { return static_cast<int>(status); }

constexpr ExitStatus exit_status_of(Errc code) {
  switch (code) {
  case Errc::usage:
    return ExitStatus::usage;
  case Errc::denied:
    return ExitStatus::not_permitted;
  case Errc::gone:
    return ExitStatus::target_gone;
  case Errc::not_found:
  case Errc::malformed:
  case Errc::unsupported:
  case Errc::system:
    return ExitStatus::could_not_tell;
  }
  return ExitStatus::could_not_tell;
}

} // namespace mapscope
