// What the daemon's threads have to tell its core, in the order in which they say it. Bounded: a
// core that is held up loses the newest, and counts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/handle.h"
#include "flow/rule_input.h"

namespace mapscope {

class Inbox {
public:
  explicit Inbox(std::size_t items_max)
      : items_max_(items_max), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  // From any thread.
  void put(RuleInput item) {
    {
      std::lock_guard lock{mutex_};
      if (items_.size() >= items_max_) {
        ++lost_;
        return;
      }
      items_.push_back(std::move(item));
    }
    const std::uint64_t one = 1;
    // It fails only where the count is at its end, and then the core is awake.
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
  }

  // Everything so far.
  std::deque<RuleInput> take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(wake_.get(), &count, sizeof(count));
    std::lock_guard lock{mutex_};
    return std::exchange(items_, {});
  }

  int wake_fd() const { return wake_.get(); } // readable while there is something
  std::uint64_t lost() const {
    std::lock_guard lock{mutex_};
    return lost_;
  }

private:
  const std::size_t items_max_;
  Fd wake_;
  mutable std::mutex mutex_;
  std::deque<RuleInput> items_;
  std::uint64_t lost_ = 0;
};

} // namespace mapscope
