// A child process in a state that a test wants to be looked at.
#pragma once

#include <cstdint>
#include <functional>

#include <sys/wait.h>
#include <unistd.h>

#include "base/handle.h"
#include "support/pipe.h"

namespace mapscope::testing {

// A child that says, by a byte, that it has done `prepare`, and stays until the object goes.
class StayingChild {
public:
  explicit StayingChild(const std::function<bool()> &prepare) {
    Pipe done = make_pipe(), stay = make_pipe();
    pid_ = ::fork();
    if (pid_ == 0) {
      stay.write.reset();
      const char answer = prepare() ? 'y' : 'n';
      char byte = 0;
      if (::write(done.write.get(), &answer, 1) == 1)
        (void)!::read(stay.read.get(), &byte, 1); // until the parent closes its end
      ::_exit(0);
    }
    done.write.reset();
    stay_ = std::move(stay.write);
    char answer = 'n';
    is_ready_ = ::read(done.read.get(), &answer, 1) == 1 && answer == 'y';
  }
  ~StayingChild() {
    stay_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  bool is_ready() const { return is_ready_; }
  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

private:
  pid_t pid_ = 0;
  Fd stay_;
  bool is_ready_ = false;
};

} // namespace mapscope::testing
