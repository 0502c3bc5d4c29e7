// Messages and their framing.
#include "binary/parser_socket.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

namespace mapscope {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

// Of a processor, since it was started; absent: there is no such process any more.
std::optional<milliseconds> work_of(pid_t process) {
  clockid_t clock{};
  timespec work{};
  if (process == 0 || ::clock_getcpuclockid(process, &clock) != 0 ||
      ::clock_gettime(clock, &work) != 0)
    return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(std::chrono::seconds{work.tv_sec} +
                                                  std::chrono::nanoseconds{work.tv_nsec});
}

// Waits until the socket can be used. Errors: unsupported, when the time is over.
Result<> wait_for(const Fd &socket, short events, const AnswerTime &time) {
  while (true) {
    const milliseconds left = time.left();
    if (left.count() <= 0)
      return fail(Errc::unsupported, "no answer in the time allowed");
    pollfd ready{socket.get(), events, 0};
    const int timeout = static_cast<int>(std::min(left, milliseconds{60'000}).count()) + 1;
    const int count = ::poll(&ready, 1, timeout);
    if (count > 0)
      return {};
    if (count < 0 && errno != EINTR)
      return std::unexpected(Error::from_errno("waiting for a socket"));
  }
}

Result<> send_all(const Fd &socket, std::span<const std::uint8_t> bytes, const AnswerTime &time) {
  while (!bytes.empty()) {
    TRY(wait_for(socket, POLLOUT, time));
    const ssize_t sent =
        ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    else if (errno == EPIPE || errno == ECONNRESET)
      return fail(Errc::gone, "the other end is closed");
    else if (errno != EAGAIN && errno != EINTR)
      return std::unexpected(Error::from_errno("sending on a socket"));
  }
  return {};
}

Result<> receive_all(const Fd &socket, std::span<std::byte> bytes, const AnswerTime &time) {
  while (!bytes.empty()) {
    TRY(wait_for(socket, POLLIN, time));
    const ssize_t received = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (received > 0)
      bytes = bytes.subspan(static_cast<std::size_t>(received));
    else if (received == 0 || errno == ECONNRESET)
      return fail(Errc::gone, "the other end is closed");
    else if (errno != EAGAIN && errno != EINTR)
      return std::unexpected(Error::from_errno("receiving from a socket"));
  }
  return {};
}

// The message grows as its bytes arrive: a length alone must not make us allocate it all.
constexpr std::size_t kReceiveBytes = 1 << 20;

} // namespace

milliseconds time_left(milliseconds allowed, milliseconds passed, milliseconds worked) {
  constexpr int kWallMost = 6;
  if (passed < allowed)
    return allowed - passed;
  return std::min(allowed - worked, allowed * kWallMost - passed);
}

AnswerTime::AnswerTime(milliseconds allowed, pid_t answering)
    : allowed_(allowed), answering_(answering), worked_before_(work_of(answering)) {}

milliseconds AnswerTime::left() const {
  const auto passed =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start_);
  const std::optional<milliseconds> work = worked_before_ ? work_of(answering_) : std::nullopt;
  return time_left(allowed_, passed, work ? *work - *worked_before_ : passed);
}

Result<> send_message(const Fd &socket, const Json &message, const AnswerTime &time) {
  const std::vector<std::uint8_t> body = Json::to_msgpack(message);
  const auto length = static_cast<std::uint32_t>(body.size());
  if (length != body.size())
    return fail(Errc::malformed, "a message of {} bytes", body.size());
  std::array<std::uint8_t, sizeof(length)> head;
  std::memcpy(head.data(), &length, sizeof(length));
  TRY(send_all(socket, head, time));
  return send_all(socket, body, time);
}

Result<Json> receive_message(const Fd &socket, const AnswerTime &time, const WireLimits &limits) {
  std::uint32_t length = 0;
  TRY(receive_all(socket, std::as_writable_bytes(std::span{&length, 1}), time));
  if (length > limits.message_bytes)
    return fail(Errc::malformed, "a message of {} bytes, {} are allowed", length,
                limits.message_bytes);
  std::vector<std::byte> body;
  while (body.size() < length) {
    const std::size_t have = body.size();
    body.resize(std::min<std::size_t>(length, have + kReceiveBytes));
    TRY(receive_all(socket, std::span{body}.subspan(have), time));
  }
  return decode_message(body, limits);
}

} // namespace mapscope
