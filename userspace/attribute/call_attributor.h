// System calls of one process, from records to what they mean: name, result, exact place,
// map operation and source line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "attribute/source_lines.h"
#include "base/address.h"
#include "flow/attributed_event.h"
#include "flow/binary_facts.h"
#include "flow/source.h"

namespace mapscope {

// Whether anybody wants to see it: calls for memory, and file calls in map operations.
bool is_told(const AttributedCall &call);

// Takes the records of one target in the order of the ring buffer. A call that announced a
// result waits for it; a thread has one call in flight, so the thread is the key. Addresses
// are turned into source lines when calls are taken, all that are new in one request.
class CallAttributor {
public:
  // `facts` and `symbolizer` are of the target's executable and outlive the attributor.
  // No more than `waiting_max` calls wait for their result at one time.
  CallAttributor(ProcessKey process, const BinaryFacts &facts, Symbolizer &symbolizer,
                 std::size_t waiting_max = 16384);

  // Where the executable lies. Until it is told, addresses of a position-independent one
  // mean nothing, and calls have no source lines.
  void set_load_bias(LoadBias bias) { lines_.set_load_bias(bias); }

  void add(const system_call_event &call);
  void add(const system_call_detail_event &call);
  void add(const io_uring_submit_event &request);
  // False: the call that it belongs to was never seen. The caller counts the record as
  // DropReason::unpaired_result.
  [[nodiscard]] bool add(const system_call_result_event &result);

  // The calls that are complete, in the order of completion.
  std::vector<AttributedCall> take();
  // The same, and the calls whose result has not come: they get none. For the end of the
  // process, an exec, and the end of the run.
  std::vector<AttributedCall> take_all();

  // When the first of the calls that wait for their result began, of those that began no earlier
  // than `since_ns` and may be shown; empty: none.
  std::optional<std::uint64_t> first_waiting_ns(std::uint64_t since_ns) const;

  struct Counts {
    std::uint64_t without_result = 0; // calls whose announced result never came
    std::uint64_t waiting_full = 0;   // of them: handed on at once, since too many waited
    std::uint64_t unsymbolized = 0;   // addresses that the symbolizer failed on
    std::string symbolizer_error;     // its last failure
  };
  const Counts &counts() const { return counts_; }

private:
  // A call before its addresses are looked at.
  struct Call {
    AttributedCall call;
    ProcessAddress ip;
    ElfAddress map_pc; // 0: the kernel side saw no map function
    map_operation window_operation = MAP_OPERATION_NONE;
    std::vector<ProcessAddress> stack; // return addresses, innermost first
    bool path_missing = false;
  };

  // What the stack of one call says about map functions.
  struct MapFrame {
    std::optional<std::size_t> depth; // of the innermost map function on the recorded stack
    const FunctionRange *function = nullptr;
  };

  Call begin(const system_call_event &event) const;
  void accept(Call call, bool wants_result);
  void name_addresses();
  void attribute(Call &call) const;
  MapFrame innermost_map_frame(const Call &call) const;
  bool is_refuted(const Call &call) const;
  const FunctionRange *map_function_at(ElfAddress pc) const;
  std::optional<std::string> operation_of(const Call &call, const MapFrame &frame) const;

  ProcessKey process_;
  const BinaryFacts &facts_;
  SourceLines lines_;
  std::size_t waiting_max_;
  std::unordered_map<std::uint32_t, Call> waiting_; // for their result, by tid
  std::vector<Call> complete_;
  Counts counts_;
};

} // namespace mapscope
