// A client of the tests: it sends what it is told, right or wrong, and reads until the end.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/handle.h"

namespace mapscope {

// "127.0.0.1:PORT"
inline Fd connect_to(std::string_view address) {
  sockaddr_in to{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  std::uint16_t port = 0;
  std::from_chars(address.data() + address.rfind(':') + 1, address.data() + address.size(), port);
  to.sin_port = htons(port);
  Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)), 0);
  return socket;
}

inline void send_bytes(const Fd &socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t length = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (length <= 0)
      return;
    bytes.remove_prefix(static_cast<std::size_t>(length));
  }
}

// All that comes until the other side closes.
inline std::string read_to_end(const Fd &socket) {
  std::string answer;
  char bytes[4096];
  for (ssize_t length; (length = ::recv(socket.get(), bytes, sizeof(bytes), 0)) > 0;)
    answer.append(bytes, static_cast<std::size_t>(length));
  return answer;
}

inline std::string ask(std::string_view address, std::string_view request) {
  const Fd socket = connect_to(address);
  send_bytes(socket, request);
  return read_to_end(socket);
}

inline std::string get(std::string_view address, std::string_view path,
                       std::string_view headers = "") {
  return ask(address, fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", path, headers));
}

inline std::string_view body_of(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == answer.npos ? std::string_view{} : answer.substr(end + 4);
}

// 0: no answer.
inline int status_of(std::string_view answer) {
  int status = 0;
  if (answer.starts_with("HTTP/1.1 "))
    std::from_chars(answer.data() + 9, answer.data() + answer.size(), status);
  return status;
}

} // namespace mapscope
