// The daemon's HTTP side, on a loopback address and a unix socket: metrics, health, processes,
// maps, findings, profiles. Nothing can be changed through it.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "flow/daemon_config.h"
#include "flow/daemon_view.h"

namespace mapscope {

class ApiServer {
public:
  // Listens when this returns. `view` outlives it. Errors: usage (an address that is none), denied,
  // system (in use: by whom, where that can be told).
  static Result<std::unique_ptr<ApiServer>> start(const ServeConfig &config, DaemonView &view);
  virtual ~ApiServer() = default; // stops

  virtual void stop() = 0;                 // requests under way are cut off after a second
  virtual std::string address() const = 0; // "127.0.0.1:9435", as bound; empty: no TCP
};

// Asks a running daemon over its socket: the body of the answer. Errors: not_found (no daemon
// there), denied, gone (it hung up), system; malformed: the answer is no 200, with what it says.
Result<std::string> ask_daemon(const std::string &socket, const std::string &path);

// The same of all that came over the socket, which may be any other program's.
Result<std::string> body_of_answer(const std::string &answer, const std::string &socket,
                                   const std::string &path);

} // namespace mapscope
