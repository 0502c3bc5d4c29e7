// What the confined parser and its parent say to each other: requests and answers as MessagePack,
// each behind its length (32 bits, little endian), over a socket.
//
// The parent believes nothing of an answer: see wire/message.h, and the checks of each field in
// wire/.
#pragma once

#include <chrono>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/handle.h"
#include "wire/message.h"

namespace mapscope {

using Deadline = std::chrono::steady_clock::time_point;

// Sends and receives one message on a stream socket, both by `deadline`. Errors: gone (the
// other end is closed), unsupported (the deadline passed), malformed, system.
Result<> send_message(const Fd &socket, const nlohmann::json &message, Deadline deadline);
Result<nlohmann::json> receive_message(const Fd &socket, Deadline deadline,
                                       const WireLimits &limits = {});

} // namespace mapscope
