// Frames are told apart as the runtime's unwinder does it: from the stack pointer of each, the size
// of its function's frame there leads to the next.
#include "heap/owners/stack_roots.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "heap/bulk_read.h"
#include "heap/owners/frame_sizes.h"

namespace mapscope {
namespace {

class RootReader {
public:
  RootReader(FrameSizes &&sizes, Machine machine, const SpanTable &spans,
             std::span<const ProcessRange> data, const StackRootLimits &limits, StackRoots &roots)
      : sizes_(std::move(sizes)), machine_(machine), spans_(spans), data_(data), limits_(limits),
        roots_(roots) {}

  Result<> read(const LiveStack &stack, std::span<const std::byte> bytes);
  void read_running(const LiveStack &stack, std::span<const std::byte> bytes);

private:
  struct Step {
    std::uint64_t sp = 0, pc = 0, link = 0;
    bool is_outermost = false;
    std::uint64_t entry = 0; // of the function that was left
  };

  // The frame around the one at `here`; nothing where that can't be told.
  Result<std::optional<Step>> step_out(const Step &here, const LiveStack &stack,
                                       std::span<const std::byte> bytes);
  void add_frame(const LiveStack &stack, std::span<const std::byte> bytes, std::uint64_t pc,
                 std::uint64_t start, std::uint64_t end);
  void add_words(const LiveStack &stack, std::span<const std::byte> bytes, std::uint64_t start,
                 std::uint64_t end);
  void add_word(std::uint64_t address, std::uint64_t value);
  bool is_wanted(std::uint64_t value) const {
    return spans_.find_object(value).has_value() ||
           std::ranges::any_of(data_,
                               [&](const ProcessRange &range) { return range.contains({value}); });
  }

  FrameSizes sizes_;
  Machine machine_;
  const SpanTable &spans_;
  std::span<const ProcessRange> data_;
  const StackRootLimits &limits_;
  StackRoots &roots_;
};

// Go source: runtime/traceback.go, unwinder.resolveInternal and next.
Result<std::optional<RootReader::Step>>
RootReader::step_out(const Step &here, const LiveStack &stack, std::span<const std::byte> bytes) {
  const auto size = TRY(sizes_.at(here.pc));
  if (!size)
    return std::nullopt;
  const std::uint64_t start = stack.range.start.value;
  auto word = [&](std::uint64_t address) { return load<std::uint64_t>(bytes, address - start); };
  Step next{
      .sp = here.sp + size->size_bytes, .is_outermost = size->is_outermost, .entry = size->entry};
  if (next.is_outermost)
    return next;
  constexpr std::uint64_t kInjectedBytes = 16; // of sp that an injected call left a link at (arm64)
  const bool has_return_address = machine_ == Machine::amd64;
  const std::uint64_t needed =
      has_return_address ? 8 : (size->is_async_preempt ? kInjectedBytes : 0);
  if (next.sp > stack.range.end().value || stack.range.end().value - next.sp < needed)
    return std::nullopt;
  if (has_return_address) {
    next.pc = word(next.sp);
  } else {
    // A function without a frame has its return address in a register only; no two such functions
    // follow each other.
    if (size->size_bytes == 0 && here.link == 0)
      return std::nullopt;
    next.pc = size->size_bytes == 0 ? here.link : word(here.sp);
    next.link = size->is_async_preempt ? word(next.sp) : 0;
  }
  next.sp += needed;
  return next;
}

void RootReader::add_word(std::uint64_t address, std::uint64_t value) {
  if (roots_.words.size() < limits_.words_max)
    roots_.words.push_back({address, value, static_cast<std::uint32_t>(roots_.frames.size() - 1)});
}

void RootReader::add_frame(const LiveStack &stack, std::span<const std::byte> bytes,
                           std::uint64_t pc, std::uint64_t start, std::uint64_t end) {
  roots_.frames.push_back({stack.goroutine, pc});
  if (start != end)
    roots_.ranges.push_back({start, end, static_cast<std::uint32_t>(roots_.frames.size() - 1)});
  if (start == stack.range.start.value && is_wanted(stack.closure))
    add_word(stack.context.value, stack.closure);
  add_words(stack, bytes, start, end);
}

void RootReader::add_words(const LiveStack &stack, std::span<const std::byte> bytes,
                           std::uint64_t start, std::uint64_t end) {
  for (std::uint64_t address = start; address + 8 <= end; address += 8)
    if (auto value = load<std::uint64_t>(bytes, address - stack.range.start.value);
        is_wanted(value))
      add_word(address, value);
}

Result<> RootReader::read(const LiveStack &stack, std::span<const std::byte> bytes) {
  ++roots_.goroutine_count;
  const std::uint64_t end = stack.range.end().value;
  Step here{.sp = stack.range.start.value, .pc = stack.pc, .link = stack.link};
  while (here.sp < end) {
    const bool can_step = !stack.is_cut && roots_.frames.size() < limits_.frames_max;
    const auto next = can_step ? TRY(step_out(here, stack, bytes)) : std::nullopt;
    if (!next) {
      add_frame(stack, bytes, 0, here.sp, end);
      break;
    }
    if (next->is_outermost)
      break;
    // A goroutine that has not run yet is at the first instruction of its function.
    add_frame(stack, bytes, here.pc == next->entry ? here.pc : here.pc - 1, here.sp, next->sp);
    here = *next;
  }
  if (stack.is_cut || roots_.words.size() >= limits_.words_max)
    ++roots_.left_out_count;
  return {};
}

// No map's header is looked for on it, so it is in none of the ranges.
void RootReader::read_running(const LiveStack &stack, std::span<const std::byte> bytes) {
  roots_.frames.push_back({.goroutine = stack.goroutine, .is_running = true});
  add_words(stack, bytes, stack.range.start.value, stack.range.end().value);
}

} // namespace

const StackFrame *StackRoots::frame_at(std::uint64_t address) const {
  auto range = std::ranges::upper_bound(ranges, address, {}, &FrameRange::start);
  if (range == ranges.begin() || address >= std::prev(range)->end)
    return nullptr;
  return &frames[std::prev(range)->frame];
}

Result<StackRoots> read_stack_roots(AddressSpace &space, const BinaryFacts &facts, LoadBias bias,
                                    const SpanTable &spans, std::span<const ProcessRange> data,
                                    const StackRootLimits &limits) {
  const ProcessAddress list =
      facts.all_goroutines.value == 0 ? ProcessAddress{} : bias.to_process(facts.all_goroutines);
  GoroutineStacks stacks = TRY(GoroutineStacks::open(space, facts, list, limits.goroutines_max));
  StackRoots roots;
  RootReader reader(TRY(FrameSizes::open(space, facts, bias)), facts.machine, spans, data, limits,
                    roots);
  std::uint64_t bytes_left = limits.bytes_max;
  std::chrono::microseconds pause{200}; // what runs is soon elsewhere
  for (unsigned round = 0; round < limits.rounds_max; ++round, pause *= 2) {
    if (round != 0 && stacks.left_count() == 0)
      break;
    if (round != 0)
      std::this_thread::sleep_for(pause);
    TRY(stacks.visit(limits.stack_bytes_max, bytes_left,
                     [&](const LiveStack &stack, std::span<const std::byte> bytes) -> Result<> {
                       bytes_left -= std::min<std::uint64_t>(bytes_left, bytes.size());
                       return reader.read(stack, bytes);
                     }));
  }
  TRY(stacks.visit_running(limits.stack_bytes_max, bytes_left,
                           [&](const LiveStack &stack, std::span<const std::byte> bytes) {
                             reader.read_running(stack, bytes);
                             return Result<>{};
                           }));
  roots.left_out_count += stacks.left_count();
  std::ranges::sort(roots.ranges, {}, &StackRoots::FrameRange::start);
  return roots;
}

} // namespace mapscope
