// What the confined parser and its parent say to each other over a socket: requests and
// answers as MessagePack, each behind its length (32 bits, little endian). Not CBOR, whose
// texts may nest in pieces without end, which the library follows by recursion.
//
// The parent believes nothing of an answer: bytes become JSON under limits on size, depth and
// number of values, and JSON becomes values with every field checked.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/address.h"
#include "base/error.h"
#include "base/handle.h"
#include "flow/source.h"

namespace mapscope {

struct WireLimits {
  std::size_t message_bytes = 16 << 20;
  std::size_t value_count = 1 << 20; // of one message: objects, members, texts, numbers
  std::size_t depth = 16;
  std::size_t text_bytes = 64 << 10;
};

// JSON from untrusted MessagePack. Errors: malformed. Stops at the limit, so that a message of a
// few bytes cannot cost much.
Result<nlohmann::json> decode_message(std::span<const std::byte> bytes,
                                      const WireLimits &limits = {});

using Deadline = std::chrono::steady_clock::time_point;

// Sends and receives one message on a stream socket, both by `deadline`. Errors: gone (the
// other end is closed), unsupported (the deadline passed), malformed, system.
Result<> send_message(const Fd &socket, const nlohmann::json &message, Deadline deadline);
Result<nlohmann::json> receive_message(const Fd &socket, Deadline deadline,
                                       const WireLimits &limits = {});

// Source frames, one list per address.
nlohmann::json frames_to_json(std::span<const SourceFrames> answers);
Result<std::vector<SourceFrames>> frames_from_json(const nlohmann::json &json);

// An error that crosses the socket.
nlohmann::json error_to_json(const Error &error);
Error error_from_json(const nlohmann::json &json);

} // namespace mapscope
