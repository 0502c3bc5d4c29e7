// Sockets that listen: on a TCP address, and in the file system.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

struct TcpListener {
  Fd socket;
  std::string address;      // as bound: "127.0.0.1:9435", "[::1]:9435"
  bool is_loopback = false; // nobody from outside gets here
};

// "127.0.0.1:9435", "[::1]:0", "localhost:9435". Errors: usage, denied, system.
Result<TcpListener> listen_tcp(const std::string &address);

// A socket file that is removed when this goes, unless it is another's by then.
class UnixListener {
public:
  // What a dead daemon left there is replaced. Errors: usage, denied; system: a living one.
  static Result<UnixListener> listen(const std::string &path);
  UnixListener() = default;
  UnixListener(UnixListener &&other) noexcept;
  UnixListener &operator=(UnixListener &&other) noexcept;
  ~UnixListener();

  const Fd &socket() const { return socket_; }

private:
  Fd socket_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// A socket connected to that file. Errors: not_found (nobody listens, or no such file), denied,
// usage (no path for a socket), system.
Result<Fd> connect_unix(const std::string &path);

} // namespace mapscope
