// All connections of the server, on one thread that never waits for a client: bytes are collected
// until a request is whole, and answers are written as fast as they are read. What makes answers
// runs on two other threads. One request a connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "serve/http_messages.h"

namespace mapscope {

struct ConnectionLimits {
  std::size_t connections_max = 64;                // beyond it, the one that lags longest is closed
  std::size_t request_bytes_max = 16384;           // of a request's head
  std::size_t waiting_bytes_max = 16U << 20;       // of answers that nobody reads; then likewise
  std::chrono::milliseconds request_timeout{5000}; // until a request is whole
  std::chrono::milliseconds answer_timeout{15000}; // until its answer is read
};

struct ListeningSocket {
  const Fd *socket = nullptr; // outlives the loop
  Transport transport = Transport::tcp;
};

class ConnectionLoop {
public:
  // The bytes of an answer; called from two threads, without capabilities.
  using Answer = std::function<std::string(Transport transport, std::string_view request)>;

  static Result<std::unique_ptr<ConnectionLoop>> start(std::vector<ListeningSocket> listeners,
                                                       Answer answer, ConnectionLimits limits = {});
  virtual ~ConnectionLoop() = default; // stops

  // Accepts nobody from here on, and closes what is open once it is answered or `patience` is over.
  // Returns when the last call of `answer` has.
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

} // namespace mapscope
