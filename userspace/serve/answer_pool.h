// The threads that make answers, so that a slow one stops neither the connections nor the others.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/handle.h"
#include "serve/connections.h"

namespace mapscope {

class AnswerPool {
public:
  struct Request {
    std::uint64_t connection = 0;
    Transport transport = Transport::tcp;
    std::string bytes;
  };
  struct Done {
    std::uint64_t connection = 0;
    std::string bytes;
  };

  // `wake` is an eventfd that is written to whenever something is done; it outlives this.
  AnswerPool(ConnectionLoop::Answer answer, const Fd &wake);
  ~AnswerPool(); // stops

  void give(Request request);
  std::vector<Done> take();
  // Returns when the calls under way have; what waits is forgotten.
  void stop();

private:
  void work();

  ConnectionLoop::Answer answer_;
  const Fd &wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_stopping_ = false;
  std::deque<Request> requests_;
  std::vector<Done> done_;
  std::vector<std::thread> threads_;
};

// For the beginning of a thread that serves: no capabilities, whatever the process has. What it
// reads from the network is then nobody's way to them.
void drop_thread_capabilities();

// Writes to an eventfd.
void wake_up(const Fd &event);

} // namespace mapscope
