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
    const FrameSize *left = nullptr; // of the function that was left
  };
  // What tells of the words of a frame.
  struct Frame {
    std::uint64_t pc = 0, start = 0, end = 0;
    const FrameSize *size = nullptr; // null: nothing is known of its words
    std::uint64_t locals_end = 0, args = 0;
  };

  // The frame around the one at `here`; nothing where that can't be told.
  Result<std::optional<Step>> step_out(const Step &here, const LiveStack &stack,
                                       std::span<const std::byte> bytes);
  void add_frame(const LiveStack &stack, std::span<const std::byte> bytes, const Frame &frame);
  void add_words(const LiveStack &stack, std::span<const std::byte> bytes, const Frame &frame);
  void add_word(std::uint64_t address, std::uint64_t value, Liveness liveness);
  void add_objects(const Frame &frame);
  void settle_objects(std::span<const std::byte> bytes, ProcessRange stack, std::size_t first_word);
  static Liveness liveness_of(std::uint64_t address, const Frame &frame);
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
  // Of the stack that is read: variables whose address is taken, and live pointers into it.
  struct Object {
    std::uint64_t start = 0, end = 0;
    bool is_live = false;
  };
  std::vector<Object> objects_;
  std::vector<std::uint64_t> pointers_;
};

// Go source: runtime/traceback.go, unwinder.resolveInternal and next.
Result<std::optional<RootReader::Step>>
RootReader::step_out(const Step &here, const LiveStack &stack, std::span<const std::byte> bytes) {
  const auto size = TRY(sizes_.at(here.pc));
  if (!size)
    return std::nullopt;
  const std::uint64_t start = stack.range.start.value;
  auto word = [&](std::uint64_t address) { return load<std::uint64_t>(bytes, address - start); };
  Step next{.sp = here.sp + size->size_bytes, .is_outermost = size->is_outermost, .left = size};
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

void RootReader::add_word(std::uint64_t address, std::uint64_t value, Liveness liveness) {
  if (roots_.words.size() < limits_.words_max)
    roots_.words.push_back(
        {address, value, static_cast<std::uint32_t>(roots_.frames.size() - 1), liveness});
}

void RootReader::add_frame(const LiveStack &stack, std::span<const std::byte> bytes,
                           const Frame &frame) {
  roots_.frames.push_back({.goroutine = stack.goroutine, .pc = frame.pc});
  if (frame.start != frame.end)
    roots_.ranges.push_back(
        {frame.start, frame.end, static_cast<std::uint32_t>(roots_.frames.size() - 1)});
  if (frame.start == stack.range.start.value && is_wanted(stack.closure))
    add_word(stack.context.value, stack.closure, Liveness::live);
  else if (frame.start == stack.range.start.value && stack.range.contains({stack.closure}))
    pointers_.push_back(stack.closure);
  add_words(stack, bytes, frame);
  add_objects(frame);
}

void RootReader::add_words(const LiveStack &stack, std::span<const std::byte> bytes,
                           const Frame &frame) {
  for (std::uint64_t address = frame.start; address + 8 <= frame.end; address += 8) {
    const auto value = load<std::uint64_t>(bytes, address - stack.range.start.value);
    const bool is_on_stack = stack.range.contains({value});
    if (!is_on_stack && !is_wanted(value))
      continue;
    const Liveness liveness = liveness_of(address, frame);
    if (!is_on_stack)
      add_word(address, value, liveness);
    else if (liveness == Liveness::live)
      pointers_.push_back(value);
  }
}

void RootReader::add_objects(const Frame &frame) {
  if (frame.size == nullptr)
    return;
  for (const FrameSize::StackObject &object : frame.size->objects) {
    const std::uint64_t start = (object.offset < 0 ? frame.locals_end : frame.args) +
                                static_cast<std::uint64_t>(std::int64_t{object.offset});
    if (start >= frame.start && start < frame.end && object.size_bytes <= frame.end - start)
      objects_.push_back({start, start + object.size_bytes});
  }
}

// Variables that live pointers lead to are alive, and what these lead to.
void RootReader::settle_objects(std::span<const std::byte> bytes, ProcessRange stack,
                                std::size_t first_word) {
  std::ranges::sort(objects_, {}, &Object::start);
  auto find = [&](std::uint64_t address) -> Object * {
    auto after = std::ranges::upper_bound(objects_, address, {}, &Object::start);
    return after == objects_.begin() || address >= std::prev(after)->end ? nullptr
                                                                         : &*std::prev(after);
  };
  std::uint64_t words_left = stack.size_bytes / 8; // objects do not overlap
  while (!pointers_.empty()) {
    Object *object = find(pointers_.back());
    pointers_.pop_back();
    if (object == nullptr || object->is_live || (object->end - object->start) / 8 > words_left)
      continue;
    words_left -= (object->end - object->start) / 8;
    object->is_live = true;
    for (std::uint64_t word = (object->start + 7) & ~std::uint64_t{7}; word + 8 <= object->end;
         word += 8)
      if (const auto value = load<std::uint64_t>(bytes, word - stack.start.value);
          stack.contains({value}))
        pointers_.push_back(value);
  }
  for (StackWord &word : std::span{roots_.words}.subspan(first_word))
    if (const Object *object = find(word.address); object != nullptr && object->is_live)
      word.liveness = Liveness::live;
  objects_.clear();
}

// Go source: runtime/mgcmark.go, scanframeworker.
Liveness RootReader::liveness_of(std::uint64_t address, const Frame &frame) {
  if (frame.size == nullptr)
    return Liveness::possible;
  const FrameSize &size = *frame.size;
  const bool is_argument = address >= frame.args;
  const LiveWords &words = is_argument ? size.args : size.locals;
  const std::uint64_t first =
      is_argument ? frame.args : frame.locals_end - 8 * std::uint64_t{words.count};
  if (words.is_live((address - first) / 8))
    return Liveness::live;
  auto holds = [&](const FrameSize::StackObject &object) {
    const std::uint64_t start = (object.offset < 0 ? frame.locals_end : frame.args) +
                                static_cast<std::uint64_t>(std::int64_t{object.offset});
    return address - start < object.size_bytes;
  };
  return words.is_known && std::ranges::none_of(size.objects, holds) ? Liveness::dead
                                                                     : Liveness::possible;
}

Result<> RootReader::read(const LiveStack &stack, std::span<const std::byte> bytes) {
  ++roots_.goroutine_count;
  const std::uint64_t end = stack.range.end().value;
  const std::size_t first_word = roots_.words.size();
  Step here{.sp = stack.range.start.value, .pc = stack.pc, .link = stack.link};
  for (std::uint64_t start = here.sp; here.sp < end;) {
    const bool can_step = !stack.is_cut && roots_.frames.size() < limits_.frames_max;
    const auto next = can_step ? TRY(step_out(here, stack, bytes)) : std::nullopt;
    if (!next) {
      add_frame(stack, bytes, {.start = start, .end = end});
      break;
    }
    if (next->is_outermost)
      break;
    const FrameSize &size = *next->left;
    // Between two instructions nothing is known, neither of what was interrupted nor of the
    // registers that are kept.
    const bool is_known =
        !size.is_async_preempt && (here.left == nullptr || !here.left->is_async_preempt);
    // A function's arguments are its own, though its caller made room for them.
    const std::uint64_t args = here.sp + size.size_bytes + 8;
    const std::uint64_t args_end = size.args_bytes == 0 ? 0 : std::min(args + size.args_bytes, end);
    const std::uint64_t frame_end = std::max({start, next->sp, args_end});
    // A goroutine that has not run yet is at the first instruction of its function.
    add_frame(stack, bytes,
              {.pc = here.pc == size.entry ? here.pc : here.pc - 1,
               .start = start,
               .end = frame_end,
               .size = is_known ? &size : nullptr,
               .locals_end = here.sp + size.locals_end(),
               .args = args});
    start = frame_end;
    here = *next;
  }
  settle_objects(bytes, stack.range, first_word);
  if (stack.is_cut || roots_.words.size() >= limits_.words_max)
    ++roots_.left_out_count;
  return {};
}

// No map's header is looked for on it, so it is in none of the ranges.
void RootReader::read_running(const LiveStack &stack, std::span<const std::byte> bytes) {
  roots_.frames.push_back({.goroutine = stack.goroutine, .is_running = true});
  add_words(stack, bytes, {.start = stack.range.start.value, .end = stack.range.end().value});
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
