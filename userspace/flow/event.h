// A record whose kind and size agree with the contract: what decode/ makes of a RawRecord.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "bpf/contract/events.h"

namespace mapscope {

using EventBody =
    std::variant<process_exec_event, process_exit_event, process_fork_event, image_entry_event,
                 map_operation_event, heap_request_event, system_call_event,
                 system_call_detail_event, system_call_result_event, io_uring_submit_event,
                 stack_event, map_misuse_event>;

struct Event {
  event_header header;
  EventBody body; // its own copy of the header is the same
};

// Why an event did not reach the next stage. Every drop has one of these names, a counter,
// and a line in the output that it affects; there is no other way to lose an event.
enum class DropReason {
  malformed,       // decode: size, kind or contents break the contract
  unknown_target,  // attribute: the target was forgotten before its event came
  queue_full,      // a stage is slower than its input
  unpaired_result, // attribute: a result whose call was never seen
};
inline constexpr std::size_t kDropReasonCount = 4;

// Indexed by DropReason.
using DropCounts = std::array<std::uint64_t, kDropReasonCount>;

// As JSON and metrics spell it: "unpaired_result".
constexpr std::string_view name_of(DropReason reason) {
  constexpr std::array<std::string_view, kDropReasonCount> names = {
      "malformed", "unknown_target", "queue_full", "unpaired_result"};
  return names[static_cast<std::size_t>(reason)];
}

} // namespace mapscope
