// cpp-httplib's server, fed with bytes in memory; see http_messages.h. Its own sockets are not
// used: it gives each connection a thread for as long as that is open, so that a few silent clients
// would stop everybody else.
#include "serve/http_messages.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include <fmt/format.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

namespace mapscope {
namespace {

constexpr std::string_view kUnixSocket = "unix";

// A request that has come whole, and the answer as far as it is made.
class MessageStream final : public httplib::Stream {
public:
  MessageStream(Transport transport, std::string_view request)
      : transport_(transport), request_(request) {}

  bool is_readable() const override { return !request_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char *bytes, size_t size) override {
    const std::size_t length = std::min(size, request_.size());
    std::memcpy(bytes, request_.data(), length);
    request_.remove_prefix(length);
    return static_cast<ssize_t>(length);
  }
  ssize_t write(const char *bytes, size_t size) override {
    answer_.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string &ip, int &port) const override {
    ip = transport_ == Transport::unix_socket ? kUnixSocket : "tcp"; // all that is asked
    port = 0;
  }
  void get_local_ip_and_port(std::string &ip, int &port) const override {
    get_remote_ip_and_port(ip, port);
  }
  socket_t socket() const override { return 0; }

  std::string take_answer() { return std::move(answer_); }

private:
  Transport transport_;
  std::string_view request_;
  std::string answer_;
};

HttpQuery query_of(const httplib::Request &request) {
  HttpQuery query{.transport =
                      request.remote_addr == kUnixSocket ? Transport::unix_socket : Transport::tcp,
                  .method = request.method,
                  .path = request.path,
                  .host = request.get_header_value("Host"),
                  .accept = request.get_header_value("Accept")};
  for (const auto &[name, value] : request.params)
    query.parameters.emplace(name, value);
  return query;
}

void fill(httplib::Response &response, HttpAnswer reply) {
  response.status = reply.status;
  for (auto &[name, value] : reply.headers)
    response.set_header(name, value);
  response.set_header("Content-Type", reply.type);
  response.body = std::move(reply.body);
}

// What cpp-httplib offers beyond what is wanted here: parts of a body, and brotli, which costs
// seconds for a large answer.
void simplify(httplib::Request &request) {
  request.ranges.clear();
  request.headers.erase("Expect");
  const std::string accepted = request.get_header_value("Accept-Encoding");
  request.headers.erase("Accept-Encoding");
  if (accepted.contains("gzip") && !accepted.contains("gzip;q=0"))
    request.set_header("Accept-Encoding", "gzip");
}

} // namespace

HttpAnswer error_reply(int status, std::string_view sentence) {
  const nlohmann::json document = {{"error", sentence}};
  return {.status = status,
          .body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

std::string bare_answer(int status, std::string_view sentence) {
  const HttpAnswer reply = error_reply(status, sentence);
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
                     "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{}",
                     status, sentence, reply.type, reply.body.size(), reply.body);
}

class HttpMessages::Server final : public httplib::Server {
public:
  explicit Server(HttpMessages::Handler handler) {
    set_payload_max_length(0);
    set_default_headers({{"X-Content-Type-Options", "nosniff"},
                         {"Cache-Control", "no-store"},
                         {"Content-Security-Policy", "default-src 'none'"}});
    // Before its own routing, which would match every path against regular expressions.
    set_pre_routing_handler([handler = std::move(handler)](const httplib::Request &request,
                                                           httplib::Response &response) {
      fill(response, handler(query_of(request)));
      return HandlerResponse::Handled;
    });
    // Errors of its own are documents too.
    set_error_handler([](const httplib::Request &, httplib::Response &response) {
      if (response.body.empty())
        fill(response, error_reply(response.status, "this is no request that can be answered"));
    });
  }

  std::string answer(Transport transport, std::string_view request) {
    MessageStream stream{transport, request};
    bool is_closed = false;
    process_request(stream, true, is_closed, simplify);
    return stream.take_answer();
  }
};

HttpMessages::HttpMessages(Handler handler)
    : server_(std::make_unique<Server>(std::move(handler))) {}
HttpMessages::~HttpMessages() = default;

std::string HttpMessages::answer(Transport transport, std::string_view request) const {
  std::string bytes;
  try {
    bytes = server_->answer(transport, request);
  } catch (const std::exception &) {
    return bare_answer(500, "this could not be answered");
  }
  return bytes.empty() ? bare_answer(400, "this is no request that can be answered") : bytes;
}

} // namespace mapscope
