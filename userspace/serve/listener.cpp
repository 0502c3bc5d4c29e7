// Binding, and telling a living daemon from what a dead one left; see listener.h.
#include "serve/listener.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fmt/format.h>

namespace mapscope {
namespace {

constexpr int kBacklog = SOMAXCONN; // who finds it full waits a second
constexpr mode_t kSocketMode = 0660;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr *get() { return reinterpret_cast<sockaddr *>(&storage); }
  const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage); }
};

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

std::optional<HostAndPort> split(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == address.npos)
    return {};
  std::string_view host = address.substr(0, colon), port = address.substr(colon + 1);
  HostAndPort result;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc{} || end != port.data() + port.size())
    return {};
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.contains(':'))
    return {}; // which of its colons is the port's?
  result.host = host == "localhost" ? "127.0.0.1" : host;
  return result;
}

std::optional<SocketAddress> parse_address(std::string_view text) {
  const std::optional<HostAndPort> parts = split(text);
  if (!parts)
    return {};
  SocketAddress address;
  sockaddr_in ipv4{.sin_family = AF_INET, .sin_port = htons(parts->port), .sin_addr = {}};
  sockaddr_in6 ipv6{.sin6_family = AF_INET6, .sin6_port = htons(parts->port)};
  if (::inet_pton(AF_INET, parts->host.c_str(), &ipv4.sin_addr) == 1) {
    std::memcpy(&address.storage, &ipv4, sizeof(ipv4));
    address.length = sizeof(ipv4);
  } else if (::inet_pton(AF_INET6, parts->host.c_str(), &ipv6.sin6_addr) == 1) {
    std::memcpy(&address.storage, &ipv6, sizeof(ipv6));
    address.length = sizeof(ipv6);
  } else {
    return {};
  }
  return address;
}

std::string text_of(const SocketAddress &address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof(ipv4));
    ::inet_ntop(AF_INET, &ipv4.sin_addr, host.data(), host.size());
    return fmt::format("{}:{}", host.data(), ntohs(ipv4.sin_port));
  }
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, &address.storage, sizeof(ipv6));
  ::inet_ntop(AF_INET6, &ipv6.sin6_addr, host.data(), host.size());
  return fmt::format("[{}]:{}", host.data(), ntohs(ipv6.sin6_port));
}

bool is_loopback(const SocketAddress &address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof(ipv4));
    return ntohl(ipv4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, &address.storage, sizeof(ipv6));
  return IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr) != 0;
}

Result<sockaddr_un> unix_address(const std::string &path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return fail(Errc::usage, "\"{}\" can't be the path of a socket: it has to have 1 to {} bytes",
                path, sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Who listens at the other end; 0: the kernel does not say.
pid_t peer_of(const Fd &socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  const int failed = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length);
  return failed != 0 ? 0 : peer.pid;
}

// Removes what a dead daemon left.
Result<> make_room(const std::string &path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0)
    return {};
  if (!S_ISSOCK(status.st_mode))
    return fail(Errc::usage,
                "{} exists and is no socket: remove it, or set serve.socket to another "
                "path",
                path);
  const Result<Fd> living = connect_unix(path);
  if (living)
    return fail(Errc::system,
                "another daemon (process {}) serves at {}: stop it, or set serve.socket to another "
                "path",
                peer_of(*living), path);
  if (living.error().code() != Errc::not_found)
    return std::unexpected(living.error());
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(Error::from_errno(fmt::format("removing the old socket {}", path)));
  return {};
}

// The last directory of a path may be ours to make: /run is empty after a start of the host.
void make_directory_of(const std::string &path) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash != 0)
    ::mkdir(path.substr(0, slash).c_str(), 0755);
}

} // namespace

Result<TcpListener> listen_tcp(const std::string &text) {
  std::optional<SocketAddress> address = parse_address(text);
  if (!address)
    return fail(Errc::usage,
                "\"{}\" is no address to serve at: it has to be like 127.0.0.1:9435 or [::1]:9435",
                text);
  Fd socket{::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket)
    return std::unexpected(Error::from_errno(fmt::format("making a socket for {}", text)));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(socket.get(), address->get(), address->length) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE)
      return fail(Errc::system,
                  "another process serves at {} already (`ss -ltnp` tells which): stop it, or set "
                  "serve.address to another",
                  text);
    return std::unexpected(Error::from_errno(fmt::format("serving at {}", text)));
  }
  ::getsockname(socket.get(), address->get(),
                &address->length); // the kernel may have chosen a port
  return TcpListener{std::move(socket), text_of(*address), is_loopback(*address)};
}

Result<Fd> connect_unix(const std::string &path) {
  const sockaddr_un address = TRY(unix_address(path));
  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket)
    return std::unexpected(Error::from_errno("making a socket"));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0)
    return socket;
  if (errno == ECONNREFUSED || errno == ENOENT)
    return fail(Errc::not_found, "no daemon listens at {}: {}", path, std::strerror(errno));
  return std::unexpected(Error::from_errno(fmt::format("connecting to {}", path)));
}

Result<UnixListener> UnixListener::listen(const std::string &path) {
  const sockaddr_un address = TRY(unix_address(path));
  make_directory_of(path);
  TRY(make_room(path));
  UnixListener listener;
  listener.socket_ = Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!listener.socket_)
    return std::unexpected(Error::from_errno(fmt::format("making a socket for {}", path)));
  if (::bind(listener.socket_.get(), reinterpret_cast<const sockaddr *>(&address),
             sizeof(address)) != 0)
    return std::unexpected(Error::from_errno(fmt::format("making the socket {}", path)));
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    listener.path_ = path; // from here on it is removed
    listener.device_ = status.st_dev;
    listener.inode_ = status.st_ino;
  }
  // Nobody can connect before listen(), so nobody does with other rights than these.
  if (::chmod(path.c_str(), kSocketMode) != 0 || ::listen(listener.socket_.get(), kBacklog) != 0)
    return std::unexpected(Error::from_errno(fmt::format("serving at {}", path)));
  return listener;
}

UnixListener::UnixListener(UnixListener &&other) noexcept
    : socket_(std::move(other.socket_)), path_(std::exchange(other.path_, {})),
      device_(other.device_), inode_(other.inode_) {}

UnixListener &UnixListener::operator=(UnixListener &&other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

UnixListener::~UnixListener() {
  struct stat status{};
  if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
      status.st_ino == inode_)
    ::unlink(path_.c_str());
}

} // namespace mapscope
