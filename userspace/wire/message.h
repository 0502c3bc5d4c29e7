// MessagePack from outside as JSON, under limits. Not CBOR, whose texts may nest in pieces
// without end, which the library follows by recursion.
#pragma once

#include <cstddef>
#include <span>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace mapscope {

struct WireLimits {
  std::size_t message_bytes = 16 << 20;
  std::size_t value_count = 1 << 20; // of one message: objects, members, texts, numbers
  std::size_t depth = 16;
  std::size_t text_bytes = 64 << 10;
  std::size_t byte_string_bytes = 0; // of one; 0: none is allowed
};

// JSON from untrusted MessagePack. Errors: malformed. Stops at the limit, so that a message of a
// few bytes cannot cost much.
Result<nlohmann::json> decode_message(std::span<const std::byte> bytes,
                                      const WireLimits &limits = {});

} // namespace mapscope
