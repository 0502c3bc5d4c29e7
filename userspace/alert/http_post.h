// POST of a JSON document over HTTP or HTTPS, which ends at its deadline whatever the receiver
// does, and can be cut off.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "flow/daemon_config.h"

namespace mapscope {

struct HttpReply {
  int status = 0;
  std::string body;                       // its beginning
  std::optional<std::string> retry_after; // the header
};

class HttpPoster {
public:
  // `suffix` is added to the path of the URL: "/api/v2/alerts". Errors: usage.
  static Result<HttpPoster> make(const HttpEndpoint &endpoint, std::string_view suffix);
  HttpPoster(HttpPoster &&) noexcept;
  ~HttpPoster();

  // Errors: denied, not_found: a file of the configuration can't be read; system: no answer.
  Result<HttpReply> post(const std::string &body);
  // From any thread: ends a post() that is under way, and all later ones.
  void cut_off();
  const std::string &url() const;

private:
  struct State;
  explicit HttpPoster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
