// Bytes as the ring buffer had them. Nothing about them has been believed yet.
#pragma once

#include <cstddef>
#include <vector>

namespace mapscope {

struct RawRecord {
  std::vector<std::byte> bytes;
};

} // namespace mapscope
