// Lengths from the arguments; the break from one answer of brk to the next.
#include "judge/memory_call_meter.h"

#include <utility>

#include "flow/memory_calls.h"

namespace mapscope {

std::optional<std::uint64_t> MemoryCallMeter::measure(const AttributedCall &call) {
  if (!call.result)
    return std::nullopt;
  if (auto asked = asked_bytes(call))
    return error_number(*call.result) != 0 ? 0 : *asked;
  if (call.name != "brk")
    return std::nullopt;

  // It answers with the break as it is now, whatever was asked; asked for 0, it only answers.
  auto now = static_cast<std::uint64_t>(*call.result);
  auto known = program_break_.find(call.process);
  if (known == program_break_.end()) {
    program_break_[call.process] = now;
    return call.arguments[0] == 0 ? std::optional<std::uint64_t>{0} : std::nullopt;
  }
  std::uint64_t before = std::exchange(known->second, now);
  return now > before ? now - before : 0;
}

} // namespace mapscope
