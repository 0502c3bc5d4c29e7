// A goroutine counts as stopped if it says the same of itself before and after its stack was read.
#include "heap/goroutine_stacks.h"

#include <algorithm>
#include <array>
#include <utility>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

// Of runtime/runtime2.go, since Go 1.17; deadextra since 1.26.
constexpr std::uint32_t kIdle = 0, kRunning = 2, kSyscall = 3, kDead = 6, kCopyStack = 8,
                        kDeadExtra = 11;
constexpr std::uint32_t kScan = 0x1000;            // a flag: the collector looks at its stack
constexpr std::uint64_t kStackBytesMax = 1 << 30;  // runtime/proc.go, main: maxstacksize
constexpr std::size_t kGoroutinesAtOnce = 1 << 10; // stacks that are read with one call
constexpr std::uint64_t kBytesAtOnce = 4 << 20;
constexpr std::size_t kRunningMax = 1 << 12; // at a time: as many as threads

} // namespace

Result<GoroutineStacks::Layout> GoroutineStacks::layout_of(const BinaryFacts &facts) {
  Layout layout;
  for (auto [field, into] : {std::pair{"runtime.g.stack.lo", &layout.stack_lo},
                             {"runtime.g.stack.hi", &layout.stack_hi},
                             {"runtime.g.sched.sp", &layout.sp},
                             {"runtime.g.sched.g", &layout.self},
                             {"runtime.g.atomicstatus", &layout.status},
                             {"runtime.g.goid", &layout.goid},
                             {"runtime.g.syscallsp", &layout.syscall_sp},
                             {"runtime.g.sched.pc", &layout.pc},
                             {"runtime.g.syscallpc", &layout.syscall_pc},
                             {"runtime.g.sched.lr", &layout.link},
                             {"runtime.g.sched.ctxt", &layout.context}}) {
    constexpr std::uint32_t kOffsetMax = 4096;
    auto offset = facts.layout.find(field);
    if (!offset || *offset > kOffsetMax)
      return fail(Errc::unsupported, "{}: where {} lies is not known", facts.path, field);
    *into = *offset;
    layout.size_bytes = std::max(layout.size_bytes, *offset + 8);
  }
  return layout;
}

Result<GoroutineStacks> GoroutineStacks::open(AddressSpace &space, const BinaryFacts &facts,
                                              ProcessAddress list, std::uint64_t goroutines_max) {
  if (list.value == 0)
    return fail(Errc::unsupported, "{}: where its goroutines are listed is not known", facts.path);
  GoroutineStacks stacks(space, TRY(layout_of(facts)));
  std::array<std::uint64_t, 3> slice{};
  TRY(read_exactly(space, list.value, std::as_writable_bytes(std::span{slice})));
  auto [data, len, cap] = slice;
  if (len > cap || (len != 0 && data == 0))
    return fail(Errc::malformed, "what lies at {:#x} is no list of goroutines", list.value);
  stacks.left_.resize(std::min(len, goroutines_max));
  stacks.unlisted_count_ = len - stacks.left_.size();
  TRY(read_exactly(space, data, std::as_writable_bytes(std::span{stacks.left_})));
  return stacks;
}

std::optional<GoroutineStacks::Goroutine>
GoroutineStacks::parse(std::uint64_t address, std::span<const std::byte> bytes) const {
  Goroutine found{.id = load<std::uint64_t>(bytes, layout_.goid),
                  .stack_lo = load<std::uint64_t>(bytes, layout_.stack_lo),
                  .stack_hi = load<std::uint64_t>(bytes, layout_.stack_hi),
                  .sp = load<std::uint64_t>(bytes, layout_.sp),
                  .pc = load<std::uint64_t>(bytes, layout_.pc),
                  .link = load<std::uint64_t>(bytes, layout_.link),
                  .closure = load<std::uint64_t>(bytes, layout_.context),
                  .status = load<std::uint32_t>(bytes, layout_.status) & ~kScan};
  found.is_alive = found.status != kIdle && found.status != kDead && found.status != kDeadExtra;
  if (!found.is_alive)
    return found;
  // A system call leaves there where it was made; sched.sp may be older (runtime/proc.go,
  // reentersyscall).
  if (auto sp = load<std::uint64_t>(bytes, layout_.syscall_sp);
      found.status == kSyscall && sp != 0) {
    found.sp = sp;
    found.pc = load<std::uint64_t>(bytes, layout_.syscall_pc);
  }
  found.sp = (found.sp + 7) & ~std::uint64_t{7};
  bool is_sound = load<std::uint64_t>(bytes, layout_.self) == address && found.id != 0 &&
                  found.status <= kDeadExtra && found.stack_lo != 0 &&
                  found.stack_lo < found.stack_hi && found.stack_hi % 8 == 0 &&
                  found.stack_hi - found.stack_lo <= kStackBytesMax;
  found.is_copied = found.status == kCopyStack;
  found.has_stopped = found.status != kRunning && !found.is_copied && found.stack_lo <= found.sp &&
                      found.sp < found.stack_hi;
  return is_sound ? std::optional{found} : std::nullopt;
}

Result<std::vector<std::optional<GoroutineStacks::Goroutine>>>
GoroutineStacks::read(std::span<const std::uint64_t> addresses) {
  std::vector<std::byte> bytes(addresses.size() * layout_.size_bytes);
  std::vector<MemoryRead> reads;
  for (std::size_t i = 0; i < addresses.size(); ++i)
    reads.push_back(
        {{addresses[i]}, std::span{bytes}.subspan(i * layout_.size_bytes, layout_.size_bytes)});
  TRY(space_.read(reads));
  std::vector<std::optional<Goroutine>> found;
  for (const MemoryRead &structure : reads)
    found.push_back(structure.is_read ? parse(structure.address.value, structure.into)
                                      : std::nullopt);
  return found;
}

Result<> GoroutineStacks::visit(std::uint64_t stack_bytes_max, std::uint64_t bytes_max,
                                const Visit &visit) {
  std::vector<std::uint64_t> todo = std::exchange(left_, {});
  std::vector<std::byte> bytes;
  for (std::size_t first = 0, count = 0; first < todo.size(); first += count) {
    auto chunk = std::span{todo}.subspan(first, std::min(kGoroutinesAtOnce, todo.size() - first));
    auto before = TRY(read(chunk));
    std::vector<LiveStack> stacks(chunk.size());
    std::uint64_t sum = 0;
    for (count = 0; count < chunk.size() && sum < kBytesAtOnce; ++count) {
      const auto &goroutine = before[count];
      if (!goroutine || !goroutine->has_stopped)
        continue;
      std::uint64_t live = goroutine->stack_hi - goroutine->sp;
      std::uint64_t taken = std::min({live, stack_bytes_max, bytes_max & ~std::uint64_t{7}});
      bytes_max -= taken;
      sum += taken;
      stacks[count] = {.goroutine = goroutine->id,
                       .range = {{goroutine->stack_hi - taken}, taken},
                       .is_cut = taken < live,
                       .pc = goroutine->pc,
                       .link = goroutine->link,
                       .context = {chunk[count] + layout_.context},
                       .closure = goroutine->closure};
    }
    bytes.resize(sum);
    std::vector<MemoryRead> reads;
    for (std::uint64_t i = 0, used = 0; i < count; used += stacks[i++].range.size_bytes)
      reads.push_back(
          {stacks[i].range.start, std::span{bytes}.subspan(used, stacks[i].range.size_bytes)});
    TRY(space_.read(reads));
    auto after = TRY(read(chunk.first(count)));
    for (std::size_t i = 0; i < count; ++i)
      if (!before[i] || !after[i] || (after[i]->is_alive && !after[i]->has_stopped) ||
          (after[i]->is_alive && (*before[i] != *after[i] || !reads[i].is_read)))
        left_.push_back(chunk[i]);
      else if (after[i]->is_alive)
        TRY(visit(stacks[i], reads[i].into));
  }
  return {};
}

Result<> GoroutineStacks::visit_running(std::uint64_t stack_bytes_max, std::uint64_t bytes_max,
                                        const Visit &visit) {
  std::vector<std::byte> bytes;
  for (const std::uint64_t address : std::span{left_}.first(std::min(left_.size(), kRunningMax))) {
    const auto before = TRY(read({&address, 1})).front();
    if (!before || !before->has_stack())
      continue;
    const std::uint64_t taken =
        std::min({before->stack_hi - before->stack_lo, stack_bytes_max, bytes_max}) &
        ~std::uint64_t{7};
    bytes_max -= taken;
    bytes.resize(taken);
    MemoryRead stack{{before->stack_hi - taken}, bytes};
    TRY(space_.read({&stack, 1}));
    const auto after = TRY(read({&address, 1})).front();
    if (stack.is_read && after && after->has_stack() && after->id == before->id &&
        after->stack_lo == before->stack_lo && after->stack_hi == before->stack_hi)
      TRY(visit({.goroutine = before->id, .range = {stack.address, taken}, .is_cut = true}, bytes));
  }
  return {};
}

} // namespace mapscope
