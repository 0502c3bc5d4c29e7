// Events of one process become what `trace` tells: which map, which type, whose line, how much.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "attribute/call_attributor.h"
#include "attribute/map_operations.h"
#include "attribute/misuse_attributor.h"
#include "attribute/source_lines.h"
#include "attribute/stack_table.h"
#include "attribute/type_table.h"
#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/run_observer.h"
#include "flow/trace_event.h"

namespace mapscope {

// Takes the records of one target in the order of the ring buffer. Stacks and types are interned
// and names are asked for in batches, so a map operation costs some 100 ns.
//
// Three events wait for a record that follows: a creation for its return, where returns are probed,
// an attempt to prune a table for the growth that follows when it gained too little, and a system
// call for its result. What a goroutine does meanwhile waits as well, so that the events of a
// goroutine stay in order, and for a call all that is younger, for a while.
class TraceAttributor {
public:
  // `facts` and `names` are of the target's executable and outlive this. `returns_probed`:
  // creations tell their map when they return (--exact).
  TraceAttributor(ProcessKey process, const BinaryFacts &facts, BinaryNames &names,
                  bool returns_probed);

  // Where the executable lies. Until it is told, addresses of a position-independent one mean
  // nothing.
  void set_load_bias(LoadBias bias);

  void add(const map_operation_event &event);
  void add(const heap_request_event &event);
  void add(const stack_event &event) { stacks_.add(event); }
  void add(const map_misuse_event &event);
  void add(const process_exec_event &event);
  void add(const process_exit_event &event);
  void add(const GoroutineSnapshot &snapshot) { misuses_.add(snapshot); }
  void add(const system_call_event &event) { calls_.add(event); }
  void add(const system_call_detail_event &event) { calls_.add(event); }
  void add(const io_uring_submit_event &event) { calls_.add(event); }
  // False: the call that it belongs to was never seen.
  [[nodiscard]] bool add(const system_call_result_event &event) { return calls_.add(event); }

  // All that is complete, in the order of time; names are asked for here.
  std::vector<TraceEvent> take();
  // The same and what still waits, for the end of the process, an exec, and the end of the run.
  std::vector<TraceEvent> take_all();

  struct Counts {
    std::uint64_t stacks_unknown = 0;    // events whose stack was never received, or forgotten
    std::uint64_t addresses_unnamed = 0; // that the symbolizer failed on
    std::uint64_t types_unknown = 0;     // descriptors that name no map type
    std::uint64_t maps_forgotten = 0;    // so many were seen that these count as new again
    std::uint64_t returns_lost = 0;      // creations told without their map
    std::uint64_t calls_without_result = 0;
    std::uint64_t misuses_dropped = 0; // reports beyond the number that is kept
    std::string error;                 // the last failure of who names addresses and types
    Counts &operator+=(const Counts &other);
  };
  Counts counts() const;

private:
  // An event whose type was not known when it was made.
  struct Untyped {
    std::size_t event; // index in events_
    std::uint64_t type;
    std::optional<Allocation> allocation;
  };
  // A heap request whose stack was not named yet when it was made.
  struct Request {
    std::size_t event; // index in events_
    NamedStackPtr stack;
  };
  struct WaitingOperation {
    event_header header{};
    MapOperation operation;
    NamedStackPtr stack;
    std::uint64_t table = 0, stack_distance = 0;
    std::uint64_t since = 0; // how often events were taken before
  };

  void add_return(const map_operation_event &event);
  bool end_waiting(const map_operation_event &event);
  void tell(const event_header &header, std::uint64_t goid, NamedStackPtr stack,
            MapOperation operation);
  void tell(std::uint64_t goid, WaitingOperation waiting);
  TraceEvent &begin(TraceKind kind, const event_header &header);
  NamedStackPtr stack_of(std::uint64_t id);
  void release_waiting(bool all);
  void tell_calls(std::vector<AttributedCall> calls);
  void tell_misuses(std::vector<MisuseReport> reports);
  void name();
  std::uint64_t held_from_ns() const;
  std::vector<TraceEvent> take_before(std::uint64_t end_ns);
  std::vector<TraceEvent> finish(bool all);

  ProcessKey process_;
  bool returns_probed_;
  BinaryNames &names_;
  SourceLines lines_;
  StackTable stacks_;
  TypeTable types_;
  MapOperations operations_;
  CallAttributor calls_;
  MisuseAttributor misuses_;
  std::unordered_map<std::uint64_t, WaitingOperation> waiting_; // by goroutine
  std::vector<TraceEvent> events_;
  std::vector<Untyped> untyped_;
  std::vector<Request> requests_;
  std::uint64_t takes_ = 0;
  std::uint64_t stacks_unknown_ = 0, returns_lost_ = 0;
};

} // namespace mapscope
