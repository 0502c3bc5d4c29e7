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
  HttpAnswer reply(const HttpQuery &query);

private:
  HttpAnswer route(const HttpQuery &query);
  HttpAnswer process_route(std::string_view rest);
  HttpAnswer metrics(const HttpQuery &query) const;
  HttpAnswer health() const;
  HttpAnswer processes(const HttpQuery &query) const;
  HttpAnswer process(std::uint32_t pid) const;
  HttpAnswer maps(std::uint32_t pid) const;
  HttpAnswer bpf_maps() const;
  HttpAnswer findings(const HttpQuery &query) const;
  HttpAnswer profile(const HttpQuery &query);
  bool is_host_allowed(const HttpQuery &query) const;

  ServeConfig config_;
  ServedAddress served_;
  DaemonView &view_;
  std::atomic<bool> is_profiling_ = false; // a profile is a census: one at a time
};

} // namespace mapscope
