// The kernel's word of every exec on the host.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "bpf/contract/process_feed.h"

namespace mapscope {

class ProcessFeed {
public:
  // Loads and attaches. `ring_bytes`: a power of two, of whole pages. Errors: denied
  // (capabilities), unsupported (this process has a pid namespace of its own, and would not know
  // the numbers), system.
  static Result<ProcessFeed> start(std::uint32_t ring_bytes = PROCESS_FEED_BYTES);
  ProcessFeed(ProcessFeed &&) noexcept;
  ProcessFeed &operator=(ProcessFeed &&) noexcept;
  ~ProcessFeed();

  // Those since the last time, in their order. Nothing wakes who waits for them: look now and then.
  std::vector<exec_record> take();
  process_feed_counts counts() const; // since the start

private:
  struct State;
  explicit ProcessFeed(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
