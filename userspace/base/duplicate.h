// A second descriptor of an open file, for who keeps one of its own.
#pragma once

#include <fcntl.h>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// Both share one offset. Errors: system.
inline Result<Fd> duplicate(const Fd &file) {
  Fd copy{::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)};
  if (!copy)
    return std::unexpected(Error::from_errno("duplicating a descriptor"));
  return copy;
}

} // namespace mapscope
