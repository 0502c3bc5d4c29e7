// A line on the terminal for what takes longer than a second.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace mapscope {

// Shows what is being done and for how long, from the first second on, where standard error is a
// terminal; gone without a trace at its end.
class Progress {
public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

private:
  void run(std::string what);

  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_; // last: it uses the others
};

} // namespace mapscope
