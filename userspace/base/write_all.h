// Writing all of something, however often the kernel takes only a part.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// Errors: as write(2) has them; a part may have been written then.
inline Result<> write_all(const Fd &file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return std::unexpected(Error::from_errno("write"));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

} // namespace mapscope
