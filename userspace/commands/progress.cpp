// A thread of its own, so that what is being done need not know of it.
#include "commands/progress.h"

#include <chrono>

#include <fmt/format.h>
#include <unistd.h>

#include "report/terminal.h"

namespace mapscope {

Progress::Progress(std::string what) {
  if (wants_colour(STDERR_FILENO)) // a terminal that can take a line back
    thread_ = std::thread{[this, text = std::move(what)] { run(text); }};
}

Progress::~Progress() {
  {
    std::lock_guard lock{mutex_};
    is_over_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

void Progress::run(std::string what) {
  constexpr std::string_view kClearLine = "\r\x1b[K";
  std::unique_lock lock{mutex_};
  int seconds = 0;
  while (!ended_.wait_for(lock, std::chrono::seconds{1}, [this] { return is_over_; }))
    fmt::print(stderr, "{}mapscope: {} ({} s)", kClearLine, what, ++seconds);
  if (seconds > 0)
    fmt::print(stderr, "{}", kClearLine);
}

} // namespace mapscope
