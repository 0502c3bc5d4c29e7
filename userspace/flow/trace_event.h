// What `trace` tells: one thing that happened to a map, to the heap or in a system call, with who
// did it and where. Made by attribute/, counted and filtered by judge/, printed by report/.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "flow/attributed_event.h"
#include "flow/map_type.h"
#include "flow/process.h"
#include "flow/source.h"

namespace mapscope {

enum class TraceKind {
  map_created,
  map_grown,    // its table or bucket array doubles, or it gets its first
  map_split,    // a swiss table of 1024 slots becomes two
  map_rehashed, // in place: tombstones pruned (swiss), same-size growth (classic)
  map_cleared,
  map_cloned,
  heap_grown,       // (*mheap).grow: address space from the kernel
  large_allocation, // an object above 32 KiB, of its own span
  memory_call,
  file_call, // inside a map operation
  map_misuse,
  process_exec,
  process_exit,
};
inline constexpr std::size_t kTraceKindCount = 13;

// As JSON has them, and text without the first word where it fits.
constexpr std::string_view name_of(TraceKind kind) {
  constexpr std::array<std::string_view, kTraceKindCount> names = {
      "map_created", "map_grown",    "map_split",        "map_rehashed", "map_cleared",
      "map_cloned",  "heap_grown",   "large_allocation", "memory_call",  "file_call",
      "map_misuse",  "process_exec", "process_exit"};
  return names[static_cast<std::size_t>(kind)];
}

// The stack of an event, shared by all that have the same.
struct CallStack {
  std::uint64_t id = 0;
  std::vector<SourceFrames> frames; // innermost first: the probed function, then its callers
  std::optional<SourceFrame> site;  // the first frame of user code
  bool is_complete = true;          // false: deeper than could be recorded
};
using CallStackPtr = std::shared_ptr<const CallStack>; // null: not recorded

// Which map. An address is used again after a collection; the seed tells the next map apart, and
// a header on a stack is known by its goroutine and its distance from the stack's top, since
// stacks move.
struct MapIdentity {
  std::uint64_t number = 0;              // in the order of first sight, within its process; from 1
  std::optional<ProcessAddress> address; // of the header now; absent: it was never told
  std::optional<std::uint64_t> seed;     // absent: not read
  std::optional<std::uint64_t> stack_distance; // present: the header lies on its goroutine's stack
  bool creation_seen = false;
};

// What an operation did to a map. What is not known for certain is absent.
struct MapChange {
  map_operation operation = MAP_OPERATION_NONE;
  std::optional<MapIdentity> map; // absent: a creation that does not tell its map
  bool is_first_sight = false;    // of a map whose creation was not seen
  MapTypePtr type;
  std::optional<std::uint64_t> hint;         // of a creation
  std::optional<std::uint64_t> len;          // entries when the operation began
  std::optional<std::uint64_t> slots_before; // of the whole map
  std::optional<std::uint64_t> slots_after;
  std::optional<std::uint64_t> table_slots_before; // of the one table that grew or split
  std::optional<std::uint64_t>
      bytes; // what the operation asks of the heap, rounded as the heap does
};

struct HeapRequest {
  heap_request request = HEAP_REQUEST_NONE;
  std::uint64_t bytes = 0;
  std::optional<std::string> operation; // of the map operation that asked: "growth"; absent: none
};

// Another goroutine that had to do with a misused map, and how that is known.
struct OtherGoroutine {
  std::uint64_t goroutine = 0;
  std::optional<SourceFrame> site;
  enum class Evidence {
    reported, // the runtime reported it as well
    on_stack, // the map's address and a call of a map function are on its stack
    grew_it,  // it was the last other one that was seen to grow the map
  } evidence = Evidence::reported;
};

struct MapMisuse {
  bool is_fatal = false; // else a panic that may be recovered from
  std::string message;   // the runtime's: "concurrent map writes"
  std::optional<MapIdentity> map;
  MapTypePtr type;
  std::vector<OtherGoroutine> others;
};

struct ProcessChange {
  std::string path;                       // exec: as it was given
  std::optional<int> exit_status, signal; // exit: one of them
};

struct TraceEvent {
  TraceKind kind = TraceKind::map_created;
  ProcessKey process;
  std::uint64_t time_ns = 0; // CLOCK_MONOTONIC; of calls: at entry
  std::uint32_t tid = 0;
  std::optional<std::uint64_t> goroutine;
  CallStackPtr stack;
  std::variant<MapChange, HeapRequest, std::shared_ptr<const AttributedCall>,
               std::shared_ptr<const MapMisuse>, std::shared_ptr<const ProcessChange>>
      what;
};

// Where the user's code caused it: of calls, of the call; else of the stack. Null: not known.
inline const SourceFrame *site_of(const TraceEvent &event) {
  if (const auto *call = std::get_if<std::shared_ptr<const AttributedCall>>(&event.what))
    if ((*call)->site)
      return &*(*call)->site;
  return event.stack && event.stack->site ? &*event.stack->site : nullptr;
}

} // namespace mapscope
