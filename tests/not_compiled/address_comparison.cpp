// A file offset is never compared with a link-time address, however alike they look.
#include "base/address.h"

bool is_at(mapscope::FileOffset offset, mapscope::ElfAddress address) {
#ifdef MUST_NOT_COMPILE
  return offset == address;
#else
  return offset == mapscope::FileOffset{address.value};
#endif
}
