// Which path gives which document.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "flow/daemon_config.h"
#include "flow/daemon_view.h"
#include "serve/http_messages.h"

namespace mapscope {

// Where the server can be reached, for what browsers are allowed to ask.
struct ServedAddress {
  std::string address;      // "127.0.0.1:9435"; empty: no TCP
  bool is_loopback = false; // then only names of this host are answered to
};

class Routes {
public:
  // `view` outlives this.
  Routes(const ServeConfig &config, ServedAddress served, DaemonView &view)
      : config_(config), served_(std::move(served)), view_(view) {}

  // From any thread.
  HttpReply reply(const HttpQuery &query);

private:
  HttpReply route(const HttpQuery &query);
  HttpReply process_route(std::string_view rest);
  HttpReply metrics(const HttpQuery &query) const;
  HttpReply health() const;
  HttpReply processes(const HttpQuery &query) const;
  HttpReply process(std::uint32_t pid) const;
  HttpReply maps(std::uint32_t pid) const;
  HttpReply findings(const HttpQuery &query) const;
  HttpReply profile(const HttpQuery &query);
  bool is_host_allowed(const HttpQuery &query) const;

  ServeConfig config_;
  ServedAddress served_;
  DaemonView &view_;
  std::atomic<bool> is_profiling_ = false; // a profile is a census: one at a time
};

} // namespace mapscope
