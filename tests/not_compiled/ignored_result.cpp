// A failure cannot be overlooked: a Result that nobody reads is an error of clang-tidy.
#include "base/error.h"

mapscope::Result<> attach();

bool attached() {
#ifdef MUST_NOT_COMPILE
  attach();
  return true;
#else
  return attach().has_value();
#endif
}
