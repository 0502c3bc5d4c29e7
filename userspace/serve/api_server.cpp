// The daemon's HTTP side; see api_server.h.
#include "serve/api_server.h"

namespace mapscope {

Result<std::unique_ptr<ApiServer>> ApiServer::start(const ServeConfig &, DaemonView &) {
  return fail(Errc::unsupported, "nothing is served yet");
}

Result<std::string> ask_daemon(const std::string &socket, const std::string &) {
  return fail(Errc::not_found, "no daemon listens at {}", socket);
}

} // namespace mapscope
