// Starts parser children for a process with many threads: a small process, forked while its parent
// is still young, forks each parser as a child of that parent.
//
// A fork of the many-threaded process itself would be unsound, since other threads may hold locks
// that the child needs, and would hand the parser a copy of all its memory, secrets included.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include <sys/types.h>

#include "base/error.h"
#include "base/handle.h"
#include "binary/confinement.h"

namespace mapscope {

class ParserStarter {
public:
  // Forks the helper: call it while the process has one thread, and from one that lasts, since
  // helper and parsers end with it. If that fails, start() tries it again.
  ParserStarter();
  ParserStarter(const ParserStarter &) = delete;
  ParserStarter &operator=(const ParserStarter &) = delete;
  ~ParserStarter();

  // A parser of `file` at the other end of `socket`, which is to be waited for as any child. From
  // any thread.
  Result<pid_t> start(const Fd &file, const Fd &socket, std::uint64_t size_bytes,
                      const std::string &path, const Confinement &confinement);

  pid_t pid() const { return pid_; } // of the helper, for tests

private:
  Result<> fork_helper();
  void end_helper();

  std::mutex mutex_;
  pid_t pid_ = 0; // 0: there is none
  Fd socket_;
};

} // namespace mapscope
