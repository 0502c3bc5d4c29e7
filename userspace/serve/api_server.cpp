// Sockets, connections, messages and routes, joined; see api_server.h.
#include "serve/api_server.h"

#include <optional>
#include <utility>
#include <vector>

#include "serve/connections.h"
#include "serve/http_messages.h"
#include "serve/listener.h"
#include "serve/routes.h"

namespace mapscope {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};

class LoopServer final : public ApiServer {
public:
  LoopServer(const ServeConfig &config, std::optional<TcpListener> tcp,
             std::optional<UnixListener> unix_listener, DaemonView &view)
      : tcp_(std::move(tcp)), unix_(std::move(unix_listener)),
        routes_(config, tcp_ ? ServedAddress{tcp_->address, tcp_->is_loopback} : ServedAddress{},
                view),
        messages_([this](const HttpQuery &query) { return routes_.reply(query); }) {}
  ~LoopServer() override { stop(); }

  Result<> listen() {
    std::vector<ListeningSocket> listeners;
    if (tcp_)
      listeners.push_back({&tcp_->socket, Transport::tcp});
    if (unix_)
      listeners.push_back({&unix_->socket(), Transport::unix_socket});
    if (listeners.empty())
      return {}; // nobody wants to be told anything
    loop_ = TRY(ConnectionLoop::start(std::move(listeners),
                                      [this](Transport transport, std::string_view request) {
                                        return messages_.answer(transport, request);
                                      }));
    return {};
  }

  void stop() override {
    if (loop_)
      loop_->stop(kPatience);
    loop_.reset();
    tcp_.reset();
    unix_.reset();
  }

  std::string address() const override { return tcp_ ? tcp_->address : std::string{}; }

private:
  std::optional<TcpListener> tcp_;
  std::optional<UnixListener> unix_;
  Routes routes_;
  HttpMessages messages_;
  std::unique_ptr<ConnectionLoop> loop_;
};

} // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::start(const ServeConfig &config, DaemonView &view) {
  std::optional<TcpListener> tcp;
  std::optional<UnixListener> unix_listener;
  if (!config.address.empty())
    tcp = TRY(listen_tcp(config.address));
  if (!config.socket.empty())
    unix_listener = TRY(UnixListener::listen(config.socket));
  auto server =
      std::make_unique<LoopServer>(config, std::move(tcp), std::move(unix_listener), view);
  TRY(server->listen());
  return server;
}

} // namespace mapscope
