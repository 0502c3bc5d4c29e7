// An owned descriptor does not decay to a number that outlives it.
#include "base/handle.h"

int number_of(const mapscope::Fd &fd) {
#ifdef MUST_NOT_COMPILE
  return fd;
#else
  return fd.get();
#endif
}
