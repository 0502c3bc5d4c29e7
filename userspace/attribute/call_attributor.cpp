// Pairs calls with results, then looks at their addresses in batches.
#include "attribute/call_attributor.h"

#include <algorithm>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <sys/prctl.h>

#include "attribute/cause.h"
#include "attribute/go_names.h"
#include "attribute/system_calls.h"

namespace mapscope {

namespace {

call_place place_without(call_place place, bool window) {
  return place == CALL_OUTSIDE || !window ? CALL_OUTSIDE : CALL_WINDOW_ONLY;
}

call_place place_of(std::uint32_t witnesses) {
  if (witnesses & (WITNESS_WINDOW | WITNESS_WORD))
    return witnesses & WITNESS_STACK ? CALL_INSIDE : CALL_WINDOW_ONLY;
  if (!(witnesses & WITNESS_STACK))
    return CALL_OUTSIDE;
  return witnesses & WITNESS_WINDOWED ? CALL_STACK_ONLY : CALL_UNDER_WRITE;
}

void set_witnesses(AttributedCall &call, std::uint32_t witnesses) {
  call.witnesses = {.window = (witnesses & (WITNESS_WINDOW | WITNESS_WORD)) != 0,
                    .stack = (witnesses & WITNESS_STACK) != 0};
  call.window_by_word = (witnesses & WITNESS_WORD) && !(witnesses & WITNESS_WINDOW);
}

// The number alone says memory, but a mapping without MAP_ANONYMOUS reads and writes a file, and
// prctl is about memory only where it names a mapping.
call_class class_by_arguments(const AttributedCall &call) {
  if (call.name == "prctl")
    return call.arguments[0] == PR_SET_VMA ? CALL_CLASS_MEMORY : CALL_CLASS_PROCESS;
  bool maps_file =
      call.name == "mmap" && !(call.arguments[3] & static_cast<std::uint64_t>(MAP_ANONYMOUS));
  return maps_file ? refined(CALL_CLASS_FILE, call.descriptor) : call.kernel_class;
}

std::optional<std::string> path_of(const char *text) {
  return *text == 0 ? std::nullopt : std::optional<std::string>{text};
}

} // namespace

bool is_told(const AttributedCall &call) {
  return call.klass == CALL_CLASS_MEMORY ||
         (call.klass == CALL_CLASS_FILE && call.place != CALL_OUTSIDE);
}

CallAttributor::CallAttributor(ProcessKey process, const BinaryFacts &facts, Symbolizer &symbolizer,
                               std::size_t waiting_max)
    : process_(process), facts_(facts), lines_(facts, symbolizer), waiting_max_(waiting_max) {}

void CallAttributor::add(const system_call_event &event) {
  accept(begin(event), event.wants_result);
}

void CallAttributor::add(const system_call_detail_event &event) {
  Call call = begin(event.call);
  for (std::uint64_t pc : event.stack) {
    if (pc == 0)
      break;
    call.stack.push_back({pc});
  }
  call.call.path = path_of(event.path);
  call.call.path_is_argument = event.path_is_argument;
  call.path_missing = event.path_missing;
  accept(std::move(call), event.call.wants_result);
}

void CallAttributor::add(const io_uring_submit_event &event) {
  IoUringOpcode opcode = io_uring_opcode(event.opcode);
  Call call;
  call.call.process = process_;
  call.call.time_ns = event.header.time_ns;
  call.call.tid = event.header.tid;
  call.call.number = event.opcode;
  call.call.is_io_uring = true;
  call.call.name = fmt::format("io_uring {}", opcode.name);
  call.call.klass = call.call.kernel_class = opcode.klass;
  call.call.place = call.call.kernel_place = place_of(event.witnesses);
  set_witnesses(call.call, event.witnesses);
  if (event.goid != 0)
    call.call.goroutine = event.goid;
  call.ip = {event.ip};
  call.map_pc = {event.map_pc};
  call.window_operation = static_cast<map_operation>(event.operation);
  accept(std::move(call), false);
}

bool CallAttributor::add(const system_call_result_event &event) {
  auto waiting = waiting_.find(event.header.tid);
  if (waiting == waiting_.end() || waiting->second.call.time_ns != event.call_time_ns ||
      waiting->second.call.number != event.number)
    return false;
  Call &call = waiting->second;
  call.call.result = event.result;
  if (event.header.time_ns >= event.call_time_ns)
    call.call.duration_ns = event.header.time_ns - event.call_time_ns;
  if (call.path_missing && event.has_path)
    call.call.path = path_of(event.path);
  complete_.push_back(std::move(call));
  waiting_.erase(waiting);
  return true;
}

CallAttributor::Call CallAttributor::begin(const system_call_event &event) const {
  Call call;
  call.call.process = process_;
  call.call.time_ns = event.header.time_ns;
  call.call.tid = event.header.tid;
  call.call.number = event.number;
  call.call.name = system_call_name(facts_.machine, event.number);
  std::ranges::copy(event.arguments, call.call.arguments.begin());
  call.call.descriptor = static_cast<descriptor_kind>(event.descriptor_kind);
  call.call.kernel_class = static_cast<call_class>(event.call_class);
  call.call.klass = class_by_arguments(call.call);
  call.call.place = call.call.kernel_place = static_cast<call_place>(event.place);
  set_witnesses(call.call, event.witnesses);
  if (event.goid != 0)
    call.call.goroutine = event.goid;
  call.ip = {event.ip};
  call.map_pc = {event.map_pc};
  call.window_operation = static_cast<map_operation>(event.operation);
  return call;
}

void CallAttributor::accept(Call call, bool wants_result) {
  auto waiting = waiting_.find(call.call.tid);
  if (waiting != waiting_.end()) { // the thread is in a new call: the old one's result is lost
    ++counts_.without_result;
    complete_.push_back(std::move(waiting->second));
    waiting_.erase(waiting);
  }
  if (wants_result && waiting_.size() < waiting_max_) {
    std::uint32_t tid = call.call.tid;
    waiting_.emplace(tid, std::move(call));
    return;
  }
  if (wants_result) {
    ++counts_.without_result;
    ++counts_.waiting_full;
  }
  complete_.push_back(std::move(call));
}

std::optional<std::uint64_t> CallAttributor::first_waiting_ns(std::uint64_t since_ns) const {
  std::optional<std::uint64_t> first;
  for (const auto &[tid, waiting] : waiting_) {
    const std::uint64_t began_ns = waiting.call.time_ns;
    if (is_told(waiting.call) && began_ns >= since_ns && began_ns < first.value_or(UINT64_MAX))
      first = began_ns;
  }
  return first;
}

std::vector<AttributedCall> CallAttributor::take() {
  name_addresses();
  std::vector<AttributedCall> calls;
  calls.reserve(complete_.size());
  for (Call &call : complete_) {
    attribute(call);
    calls.push_back(std::move(call.call));
  }
  complete_.clear();
  return calls;
}

std::vector<AttributedCall> CallAttributor::take_all() {
  counts_.without_result += waiting_.size();
  auto first = static_cast<std::ptrdiff_t>(complete_.size());
  for (auto &[tid, call] : waiting_)
    complete_.push_back(std::move(call));
  waiting_.clear();
  // The table has no order; a report should have one.
  std::ranges::sort(complete_.begin() + first, complete_.end(), {},
                    [](const Call &call) { return call.call.time_ns; });
  return take();
}

void CallAttributor::name_addresses() {
  lines_.begin();
  for (const Call &call : complete_)
    for (ProcessAddress pc : call.stack)
      if (auto site = lines_.call_site(pc))
        lines_.want(*site);
  lines_.ask();
  counts_.unsymbolized = lines_.unnamed();
  counts_.symbolizer_error = lines_.error();
}

void CallAttributor::attribute(Call &call) const {
  AttributedCall &known = call.call;
  for (ProcessAddress pc : call.stack) {
    auto site = lines_.call_site(pc);
    known.stack.push_back(site ? lines_.at(*site) : SourceFrames{});
  }
  if (known.place == CALL_OUTSIDE)
    return;

  MapFrame frame = innermost_map_frame(call);
  if (frame.function == nullptr && is_refuted(call)) {
    known.witnesses.stack = false;
    known.place = place_without(known.place, known.witnesses.window);
    if (known.place == CALL_OUTSIDE)
      return;
  }
  auto above = std::span{known.stack}.first(frame.depth.value_or(known.stack.size()));
  auto below = std::span{known.stack}.subspan(frame.depth.value_or(0));
  known.operation = operation_of(call, frame);
  known.site = user_frame(below);
  if (known.klass == CALL_CLASS_FILE) {
    auto caller = lines_.to_elf(call.ip);
    bool from_c = caller && !facts_.text.contains(*caller);
    known.cause = known_cause(above, from_c);
  }
}

CallAttributor::MapFrame CallAttributor::innermost_map_frame(const Call &call) const {
  for (std::size_t depth = 0; depth < call.stack.size(); ++depth)
    if (auto site = lines_.call_site(call.stack[depth]))
      if (const FunctionRange *function = map_function_at(*site))
        return {depth, function};
  // The kernel side also looks at words that the frame chain lacks: the function that
  // switched to the system stack.
  return {std::nullopt, call.map_pc.value == 0 ? nullptr : map_function_at(call.map_pc)};
}

// The kernel side compares with merged ranges, in which functions that only read lie too. It
// is refuted where the recorded stack shows the very frame that it believed in, ends before
// it is full, and has no function that creates, grows, copies, clears or writes a map.
bool CallAttributor::is_refuted(const Call &call) const {
  if (call.map_pc.value == 0 || call.stack.size() >= EVENT_STACK_FRAMES)
    return false;
  return std::ranges::any_of(
      call.stack, [&](ProcessAddress pc) { return lines_.call_site(pc) == call.map_pc; });
}

const FunctionRange *CallAttributor::map_function_at(ElfAddress pc) const {
  auto function = std::ranges::find_if(
      facts_.map_functions, [pc](const FunctionRange &entry) { return entry.range.contains(pc); });
  return function == facts_.map_functions.end() ? nullptr : &*function;
}

// What the innermost function that serves one operation alone says: newTable lies under
// creation and growth alike, so look further out until it is clear.
std::optional<std::string> CallAttributor::operation_of(const Call &call,
                                                        const MapFrame &frame) const {
  for (std::size_t depth = frame.depth.value_or(call.stack.size()); depth < call.stack.size();
       ++depth) {
    for (const SourceFrame &logical : call.call.stack[depth])
      if (auto operation = operation_of_function(logical.function))
        return std::string{*operation};
    auto site = lines_.call_site(call.stack[depth]);
    const FunctionRange *function = site ? map_function_at(*site) : nullptr;
    if (function == nullptr)
      continue;
    if (auto operation = operation_of_function(function->function))
      return std::string{*operation};
  }
  if (frame.function != nullptr)
    if (auto operation = operation_of_function(frame.function->function))
      return std::string{*operation};
  if (auto operation = operation_name(call.window_operation))
    return std::string{*operation};
  return std::nullopt;
}

} // namespace mapscope
