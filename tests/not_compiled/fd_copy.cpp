// A descriptor has one owner: it moves, and is never copied.
#include "base/handle.h"

mapscope::Fd take(mapscope::Fd &fd) {
#ifdef MUST_NOT_COMPILE
  return fd;
#else
  return std::move(fd);
#endif
}
