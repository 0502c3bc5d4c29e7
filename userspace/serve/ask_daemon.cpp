// The client's side of the socket; see api_server.h. One request of HTTP/1.1, read to its end: the
// server closes behind each answer.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/handle.h"
#include "base/printable.h"
#include "serve/api_server.h"
#include "serve/listener.h"

namespace mapscope {
namespace {

constexpr std::size_t kAnswerBytesMax = 64U << 20;
constexpr std::uint64_t kTimeoutNs = 30'000'000'000; // a profile takes ten seconds
constexpr std::string_view kEndOfHead = "\r\n\r\n";

Error cut_off(const std::string &socket) {
  return {Errc::gone, fmt::format("the daemon at {} hung up in the middle of its answer", socket)};
}

Result<> send_request(const Fd &socket, const std::string &name, const std::string &path) {
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  std::string_view rest = request;
  while (!rest.empty()) {
    const ssize_t length = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (length < 0 && errno == EINTR)
      continue;
    if (length < 0)
      return errno == EPIPE || errno == ECONNRESET
                 ? std::unexpected(cut_off(name))
                 : std::unexpected(Error::from_errno(fmt::format("asking the daemon at {}", name)));
    rest.remove_prefix(static_cast<std::size_t>(length));
  }
  return {};
}

Result<std::string> read_answer(const Fd &socket, const std::string &name) {
  const std::uint64_t deadline_ns = now_ns() + kTimeoutNs;
  std::string answer;
  std::array<char, 16384> bytes;
  for (;;) {
    const std::uint64_t now = now_ns();
    pollfd polled{.fd = socket.get(), .events = POLLIN, .revents = 0};
    const int timeout_ms =
        now >= deadline_ns ? 0 : static_cast<int>((deadline_ns - now) / 1'000'000);
    const int ready = ::poll(&polled, 1, timeout_ms);
    if (ready == 0)
      return fail(Errc::system, "the daemon at {} did not answer within {} s", name,
                  kTimeoutNs / 1'000'000'000);
    if (ready < 0 && errno == EINTR)
      continue;
    const ssize_t length = ready < 0 ? -1 : ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (length < 0 && errno == EINTR)
      continue;
    if (length < 0)
      return errno == ECONNRESET
                 ? std::unexpected(cut_off(name))
                 : std::unexpected(Error::from_errno(fmt::format("reading from {}", name)));
    if (length == 0)
      return answer;
    answer.append(bytes.data(), static_cast<std::size_t>(length));
    if (answer.size() > kAnswerBytesMax)
      return fail(Errc::malformed, "the answer of the daemon at {} has more than {} bytes", name,
                  kAnswerBytesMax);
  }
}

template <typename Number> std::optional<Number> number_at_front(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  Number number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} ? std::optional{number} : std::nullopt;
}

// What follows "Content-Length:" in the head, which is ours and so spelled like this.
std::optional<std::size_t> content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\nContent-Length:";
  const std::size_t at = head.find(kName);
  return at == head.npos ? std::nullopt
                         : number_at_front<std::size_t>(head.substr(at + kName.size()));
}

std::string sentence_in(const std::string &body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (document.is_object() && document.contains("error") && document["error"].is_string())
    return printable(document["error"].get<std::string>());
  return printable(body.substr(0, 200));
}

} // namespace

Result<std::string> body_of_answer(const std::string &answer, const std::string &socket,
                                   const std::string &path) {
  const std::size_t end = answer.find(kEndOfHead);
  if (end == answer.npos)
    return std::unexpected(cut_off(socket));
  const std::string_view head = std::string_view{answer}.substr(0, end);
  constexpr std::string_view kVersion = "HTTP/1.1";
  const std::optional<int> status = head.starts_with(kVersion)
                                        ? number_at_front<int>(head.substr(kVersion.size()))
                                        : std::nullopt;
  if (!status)
    return fail(Errc::malformed, "what listens at {} does not speak HTTP", socket);
  std::string body = answer.substr(end + kEndOfHead.size());
  if (const std::optional<std::size_t> length = content_length(head);
      length && *length != body.size())
    return std::unexpected(cut_off(socket));
  if (*status != 200)
    return fail(Errc::malformed, "the daemon at {} answered {} with {}: {}", socket, path, *status,
                sentence_in(body));
  return body;
}

Result<std::string> ask_daemon(const std::string &socket, const std::string &path) {
  const Fd connection = TRY(connect_unix(socket));
  TRY(send_request(connection, socket, path));
  return body_of_answer(TRY(read_answer(connection, socket)), socket, path);
}

} // namespace mapscope
