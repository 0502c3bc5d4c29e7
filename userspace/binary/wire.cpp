// MessagePack under limits, and its framing.
#include "binary/wire.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include "base/printable.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

// Builds JSON as nlohmann::json::from_msgpack would, and gives up at a limit (the interface is
// that of nlohmann::json_sax). The library's own
// parser recurses once per level, so depth is what keeps the stack whole.
class LimitedBuilder {
public:
  explicit LimitedBuilder(const WireLimits &limits) : limits_(limits) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double, const std::string &) { return stop("a fraction"); }
  bool string(std::string &value) {
    return value.size() > limits_.text_bytes ? stop("a text that is too long")
                                             : add(std::move(value));
  }
  bool binary(Json::binary_t &) { return stop("a byte string"); }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string &value) {
    key_ = std::move(value);
    return key_.size() <= limits_.text_bytes || stop("a key that is too long");
  }
  bool parse_error(std::size_t position, const std::string &, const Json::exception &) {
    return stop(fmt::format("no MessagePack at byte {}", position));
  }

  Result<Json> take() && {
    if (!problem_.empty())
      return fail(Errc::malformed, "{}", problem_);
    return std::move(root_);
  }

private:
  bool stop(std::string problem) {
    if (problem_.empty())
      problem_ = std::move(problem);
    return false;
  }

  // Where the next value goes; elements of the containers above stay put meanwhile, since
  // only the innermost one grows.
  Json &place(Json value) {
    if (open_.empty())
      return root_ = std::move(value);
    Json &container = *open_.back();
    if (container.is_object())
      return container[std::move(key_)] = std::move(value);
    return container.emplace_back(std::move(value));
  }

  bool add(Json value) {
    if (++value_count_ > limits_.value_count)
      return stop("too many values");
    place(std::move(value));
    return true;
  }

  bool open(Json container) {
    if (open_.size() >= limits_.depth)
      return stop("values nested too deep");
    if (++value_count_ > limits_.value_count)
      return stop("too many values");
    open_.push_back(&place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const WireLimits &limits_;
  Json root_;
  std::vector<Json *> open_;
  std::string key_;
  std::size_t value_count_ = 0;
  std::string problem_;
};

// Waits until the socket can be used. Errors: unsupported, when the deadline passes.
Result<> wait_for(const Fd &socket, short events, Deadline deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return fail(Errc::unsupported, "no answer in the time allowed");
    pollfd ready{socket.get(), events, 0};
    const int timeout = static_cast<int>(std::min<std::int64_t>(left.count() + 1, 60'000));
    const int count = ::poll(&ready, 1, timeout);
    if (count > 0)
      return {};
    if (count < 0 && errno != EINTR)
      return std::unexpected(Error::from_errno("waiting for a socket"));
  }
}

Result<> send_all(const Fd &socket, std::span<const std::uint8_t> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    TRY(wait_for(socket, POLLOUT, deadline));
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

Result<> receive_all(const Fd &socket, std::span<std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    TRY(wait_for(socket, POLLIN, deadline));
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

Result<Json> decode_message(std::span<const std::byte> bytes, const WireLimits &limits) {
  const auto *first = reinterpret_cast<const std::uint8_t *>(bytes.data());
  LimitedBuilder builder{limits};
  Json::sax_parse(first, first + bytes.size(), &builder, Json::input_format_t::msgpack);
  return std::move(builder).take();
}

Result<> send_message(const Fd &socket, const Json &message, Deadline deadline) {
  const std::vector<std::uint8_t> body = Json::to_msgpack(message);
  const auto length = static_cast<std::uint32_t>(body.size());
  if (length != body.size())
    return fail(Errc::malformed, "a message of {} bytes", body.size());
  std::array<std::uint8_t, sizeof(length)> head;
  std::memcpy(head.data(), &length, sizeof(length));
  TRY(send_all(socket, head, deadline));
  return send_all(socket, body, deadline);
}

Result<Json> receive_message(const Fd &socket, Deadline deadline, const WireLimits &limits) {
  std::uint32_t length = 0;
  TRY(receive_all(socket, std::as_writable_bytes(std::span{&length, 1}), deadline));
  if (length > limits.message_bytes)
    return fail(Errc::malformed, "a message of {} bytes, {} are allowed", length,
                limits.message_bytes);
  std::vector<std::byte> body;
  while (body.size() < length) {
    const std::size_t have = body.size();
    body.resize(std::min<std::size_t>(length, have + kReceiveBytes));
    TRY(receive_all(socket, std::span{body}.subspan(have), deadline));
  }
  return decode_message(body, limits);
}

Json frames_to_json(std::span<const SourceFrames> answers) {
  Json lists = Json::array();
  for (const SourceFrames &frames : answers) {
    Json list = Json::array();
    for (const SourceFrame &frame : frames)
      list.push_back(Json::array({frame.function, frame.file, frame.line, frame.inlined}));
    lists.push_back(std::move(list));
  }
  return lists;
}

Result<std::vector<SourceFrames>> frames_from_json(const Json &json) {
  auto wrong = fail(Errc::malformed, "not a list of source frames");
  if (!json.is_array())
    return wrong;
  std::vector<SourceFrames> answers;
  for (const Json &list : json) {
    if (!list.is_array())
      return wrong;
    SourceFrames &frames = answers.emplace_back();
    for (const Json &frame : list) {
      if (!frame.is_array() || frame.size() != 4 || !frame[0].is_string() ||
          !frame[1].is_string() || !frame[2].is_number_unsigned() || !frame[3].is_boolean() ||
          frame[2].get<std::uint64_t>() > UINT32_MAX)
        return wrong;
      frames.push_back({.function = printable(frame[0].get_ref<const std::string &>()),
                        .file = printable(frame[1].get_ref<const std::string &>()),
                        .line = frame[2].get<std::uint32_t>(),
                        .inlined = frame[3].get<bool>()});
    }
  }
  return answers;
}

Json error_to_json(const Error &error) {
  return Json::array({static_cast<unsigned>(error.code()), error.message()});
}

Error error_from_json(const Json &json) {
  if (json.is_array() && json.size() == 2 && json[0].is_number_unsigned() && json[1].is_string() &&
      json[0].get<std::uint64_t>() <= static_cast<std::uint64_t>(Errc::system))
    return {static_cast<Errc>(json[0].get<std::uint64_t>()),
            printable(json[1].get_ref<const std::string &>())};
  return {Errc::malformed, "an error that makes no sense"};
}

} // namespace mapscope
