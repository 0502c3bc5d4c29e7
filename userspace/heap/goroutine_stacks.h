// The live parts of goroutines' stacks, read in bulk: from where each goroutine stopped to the
// stack's end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"

namespace mapscope {

struct LiveStack {
  std::uint64_t goroutine = 0; // its id
  ProcessRange range;          // from the innermost frame that counts to the outermost
  bool is_cut = false;         // inner frames are left out
  std::uint64_t pc = 0;        // where the innermost frame goes on
  std::uint64_t link = 0;      // the link register there (arm64)
  ProcessAddress context;      // where the closure lies that goes on or starts there, or 0
  std::uint64_t closure = 0;   // what lies there
};

class GoroutineStacks {
public:
  // `list`: runtime.allgs in the process. Errors: unsupported (layout not known), malformed (no
  // list of goroutines is there), as AddressSpace::read.
  static Result<GoroutineStacks> open(AddressSpace &space, const BinaryFacts &facts,
                                      ProcessAddress list, std::uint64_t goroutines_max);

  // Reads every goroutine that has not been read yet, and its stack; visits those that held still
  // meanwhile. Called again, it tries those once more that ran. `stack_bytes_max`: of one stack,
  // the outermost; `bytes_max`: of all in this call.
  using Visit = std::function<Result<>(const LiveStack &, std::span<const std::byte>)>;
  Result<> visit(std::uint64_t stack_bytes_max, std::uint64_t bytes_max, const Visit &visit);
  // Visits the stacks of those that are left, all of each, as it was at different moments: what a
  // goroutine left behind below its stack pointer is among it. They are still left after that.
  Result<> visit_running(std::uint64_t stack_bytes_max, std::uint64_t bytes_max,
                         const Visit &visit);

  std::uint64_t left_count() const { return left_.size() + unlisted_count_; }

private:
  struct Layout {
    std::uint32_t stack_lo = 0, stack_hi = 0, sp = 0, self = 0, status = 0, goid = 0,
                  syscall_sp = 0, pc = 0, syscall_pc = 0, link = 0, context = 0;
    std::uint32_t size_bytes = 0;
  };
  // What a goroutine says of itself; nothing where the bytes are none.
  struct Goroutine {
    std::uint64_t id = 0, stack_lo = 0, stack_hi = 0, sp = 0, pc = 0, link = 0, closure = 0;
    std::uint32_t status = 0;
    bool is_alive = false, has_stopped = false;
    bool has_stack() const { return is_alive && !is_copied; }
    bool is_copied = false; // its stack is, to elsewhere
    friend bool operator==(const Goroutine &, const Goroutine &) = default;
  };

  GoroutineStacks(AddressSpace &space, const Layout &layout) : space_(space), layout_(layout) {}

  static Result<Layout> layout_of(const BinaryFacts &facts);
  std::optional<Goroutine> parse(std::uint64_t address, std::span<const std::byte> bytes) const;
  Result<std::vector<std::optional<Goroutine>>> read(std::span<const std::uint64_t> addresses);

  AddressSpace &space_;
  Layout layout_;
  std::vector<std::uint64_t> left_; // addresses of goroutines that were not visited yet
  std::uint64_t unlisted_count_ = 0;
};

} // namespace mapscope
