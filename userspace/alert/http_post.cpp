// POST with cpp-httplib; see http_post.h.
#include "alert/http_post.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <httplib.h>
#include <sys/socket.h>

#include "base/handle.h"

namespace mapscope {

namespace {

constexpr std::size_t kReplyBytesMax = 64 << 10;
constexpr std::size_t kSecretBytesMax = 64 << 10;

struct UrlParts {
  std::string origin; // "https://host:port"
  std::string path;   // "/base", without a slash at its end
  std::string query;  // "?a=b", or nothing
};

Result<UrlParts> split_url(const std::string &url) {
  const std::size_t scheme_end = url.find("://");
  const std::string scheme = url.substr(0, scheme_end == url.npos ? 0 : scheme_end);
  if (scheme != "http" && scheme != "https")
    return fail(Errc::usage, "the URL \"{}\" begins with neither http:// nor https://", url);
  const std::size_t host = scheme_end + 3;
  const std::size_t path = std::min(url.find_first_of("/?#", host), url.size());
  if (path == host)
    return fail(Errc::usage, "the URL \"{}\" names no host", url);
  if (url.find('@', host) < path)
    return fail(Errc::usage,
                "the URL of {} has a name or password in it: use `username` and "
                "`password_file`",
                url.substr(url.find('@', host) + 1));
  UrlParts parts{.origin = url.substr(0, path)};
  const std::size_t end = std::min(url.find('#', path), url.size());
  const std::size_t query = std::min(url.find('?', path), end);
  parts.path = url.substr(path, query - path);
  while (parts.path.ends_with('/'))
    parts.path.pop_back();
  parts.query = url.substr(query, end - query);
  return parts;
}

// The first line of a file: a password, a token. It may be another the next time.
Result<std::string> read_secret(const std::string &path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  std::string text(kSecretBytesMax, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0)
    return std::unexpected(Error::from_errno(fmt::format("reading {}", path)));
  text.resize(static_cast<std::size_t>(size));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

Result<> check_readable(const std::string &path) {
  if (path.empty())
    return {};
  if (Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); !file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  return {};
}

std::string_view words_of(httplib::Error error) {
  switch (error) {
  case httplib::Error::Connection:
    return "no connection: the host is unknown, or nothing listens there";
  case httplib::Error::ConnectionTimeout:
    return "no connection in time";
  case httplib::Error::Read:
    return "no answer, or none in the words of HTTP";
  case httplib::Error::Write:
    return "the connection ended while the request was sent";
  case httplib::Error::SSLConnection:
    return "TLS could not be agreed on";
  case httplib::Error::SSLLoadingCerts:
    return "the certificates of `ca_file`, or of this host, can't be loaded";
  case httplib::Error::SSLServerVerification:
    return "the receiver's certificate is not one that `ca_file`, or this host, trusts";
  default:
    return "the request failed";
  }
}

// Ends one request at its deadline. A receiver that sends a byte now and then keeps every timeout
// of the client from passing; and the client's own stop() waits for its connect().
class RequestGuard {
public:
  RequestGuard(std::chrono::milliseconds timeout, const bool &is_cut, std::mutex &mutex,
               std::condition_variable &changed)
      : is_cut_(is_cut), mutex_(mutex), changed_(changed),
        thread_([this, deadline = std::chrono::steady_clock::now() + timeout] { run(deadline); }) {}
  ~RequestGuard() {
    {
      std::lock_guard lock(mutex_);
      is_done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  RequestGuard(const RequestGuard &) = delete;
  RequestGuard &operator=(const RequestGuard &) = delete;

  // A descriptor of our own: the client may close its one at any time, and its number be reused.
  void set_socket(int socket) {
    std::lock_guard lock(mutex_);
    socket_ = Fd(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  }
  bool was_late() const {
    std::lock_guard lock(mutex_);
    return is_late_;
  }

private:
  void run(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_until(lock, deadline, [this] { return is_done_ || is_cut_; }) && is_done_)
      return;
    is_late_ = !is_cut_;
    // Again and again: the client goes on to the next address of the host's name.
    do {
      if (socket_)
        ::shutdown(socket_.get(), SHUT_RDWR);
    } while (!changed_.wait_for(lock, std::chrono::milliseconds(20), [this] { return is_done_; }));
  }

  const bool &is_cut_;
  std::mutex &mutex_;
  std::condition_variable &changed_;
  bool is_done_ = false, is_late_ = false;
  Fd socket_;
  std::thread thread_; // the last: it uses the others
};

} // namespace

struct HttpPoster::State {
  HttpEndpoint endpoint;
  UrlParts parts;
  std::string suffix, url;
  std::mutex mutex;
  std::condition_variable changed;
  bool is_cut = false;

  Result<httplib::Headers> headers() const {
    httplib::Headers headers;
    for (const auto &[name, value] : endpoint.headers)
      headers.emplace(name, value);
    if (!endpoint.username.empty()) {
      std::string password;
      if (!endpoint.password_file.empty())
        password = TRY(read_secret(endpoint.password_file));
      headers.insert(httplib::make_basic_authentication_header(endpoint.username, password));
    }
    if (!endpoint.bearer_token_file.empty())
      headers.emplace("Authorization", "Bearer " + TRY(read_secret(endpoint.bearer_token_file)));
    for (const auto &[name, value] : {std::pair{"User-Agent", "mapscope/" MAPSCOPE_VERSION},
                                      std::pair{"Content-Type", "application/json"}})
      if (!headers.contains(name)) // configured ones go first
        headers.emplace(name, value);
    return headers;
  }

  // Files are read for each request: certificates are renewed.
  Result<std::unique_ptr<httplib::Client>> client() const {
    for (const std::string *file :
         {&endpoint.ca_file, &endpoint.certificate_file, &endpoint.key_file})
      TRY(check_readable(*file));
    auto client = std::make_unique<httplib::Client>(parts.origin, endpoint.certificate_file,
                                                    endpoint.key_file);
    if (!client->is_valid())
      return fail(Errc::usage, "the URL or its certificate and key can't be used");
    if (!endpoint.ca_file.empty())
      client->set_ca_cert_path(endpoint.ca_file);
    client->enable_server_certificate_verification(true);
    client->set_follow_location(false);
    client->set_url_encode(false);
    client->set_connection_timeout(endpoint.timeout);
    client->set_read_timeout(endpoint.timeout);
    client->set_write_timeout(endpoint.timeout);
    return client;
  }

  Result<HttpReply> send(const std::string &body);
};

Result<HttpReply> HttpPoster::State::send(const std::string &body) {
  httplib::Request request;
  request.method = "POST";
  request.path = parts.path + suffix + parts.query;
  if (request.path.empty() || request.path.front() != '/')
    request.path.insert(request.path.begin(), '/');
  request.headers = TRY(headers());
  request.body = body;
  HttpReply reply;
  auto note_head = [&reply](const httplib::Response &response) {
    reply.status = response.status;
    if (response.has_header("Retry-After"))
      reply.retry_after = response.get_header_value("Retry-After");
    return true;
  };
  request.response_handler = note_head;
  request.content_receiver = [&reply](const char *data, std::size_t size, std::uint64_t,
                                      std::uint64_t) {
    reply.body.append(data, std::min(size, kReplyBytesMax - reply.body.size()));
    return reply.body.size() < kReplyBytesMax; // the rest is of no use
  };
  auto client = TRY(this->client());
  RequestGuard guard(endpoint.timeout, is_cut, mutex, changed);
  client->set_socket_options([&guard](int socket) { guard.set_socket(socket); });
  const httplib::Result result = client->send(request);
  if (reply.status == 0 && result)
    note_head(*result); // one without a body (204) does not call the handler
  if (reply.status != 0)
    return reply; // what follows the head does not matter
  if (guard.was_late())
    return fail(Errc::system, "no answer within {} ms", endpoint.timeout.count());
  return fail(Errc::system, "{}", words_of(result.error()));
}

HttpPoster::HttpPoster(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpPoster::HttpPoster(HttpPoster &&) noexcept = default;
HttpPoster::~HttpPoster() = default;

Result<HttpPoster> HttpPoster::make(const HttpEndpoint &endpoint, std::string_view suffix) {
  auto state = std::make_unique<State>();
  state->endpoint = endpoint;
  state->parts = TRY(split_url(endpoint.url));
  state->suffix = suffix;
  state->url = state->parts.origin + state->parts.path + state->suffix; // a query may be secret
  if (endpoint.timeout.count() <= 0)
    return fail(Errc::usage, "the timeout of {} has to be above 0", state->url);
  return HttpPoster(std::move(state));
}

Result<HttpReply> HttpPoster::post(const std::string &body) {
  auto describe = [this](std::string_view problem) {
    return fmt::format("POST {}: {}", state_->url, problem);
  };
  {
    std::lock_guard lock(state_->mutex);
    if (state_->is_cut)
      return fail(Errc::system, "{}", describe("stopped"));
  }
  try {
    Result<HttpReply> reply = state_->send(body);
    if (!reply)
      return fail(reply.error().code(), "{}", describe(reply.error().message()));
    return reply;
  } catch (const std::exception &failure) { // the library's, for an URL that it can't take
    return fail(Errc::system, "{}", describe(failure.what()));
  }
}

void HttpPoster::cut_off() {
  {
    std::lock_guard lock(state_->mutex);
    state_->is_cut = true;
  }
  state_->changed.notify_all();
}

const std::string &HttpPoster::url() const { return state_->url; }

} // namespace mapscope
