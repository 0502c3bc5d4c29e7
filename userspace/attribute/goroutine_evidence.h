// What the stacks of other goroutines say about a misused map: who else works on it.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "attribute/source_lines.h"
#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/run_observer.h"
#include "flow/trace_event.h"

namespace mapscope {

// Looks for return addresses into user code behind calls of map functions.
//
// A running goroutine's words may be older than what it does now; the evidence is then that it
// did, a moment ago. So more than one thing has to agree: the type that the call passes, and
// the map's address beside it or, where that is not known, a map function's frame below it.
class GoroutineEvidence {
public:
  // Asks `names` for all calls on the stacks of `snapshot` at once, and `lines` for their lines.
  // The snapshot outlives this.
  GoroutineEvidence(const GoroutineSnapshot &snapshot, const BinaryFacts &facts, SourceLines &lines,
                    BinaryNames &names);
  GoroutineEvidence() = default; // no snapshot: no evidence

  // Without a type and a map there is nothing to recognise. `except`: the goroutine that
  // reported.
  std::vector<OtherGoroutine> users_of(const MapType *type, std::optional<std::uint64_t> map,
                                       std::uint64_t except) const;

private:
  struct Call {
    std::size_t word; // index of the return address
    ElfAddress return_address;
    bool is_below_map_function; // whose frame lies right under it
  };
  struct Goroutine {
    const GoroutineStack *stack;
    std::vector<Call> calls;
  };
  struct Hash {
    std::size_t operator()(ElfAddress address) const { return mix_bits(address.value); }
  };

  void find_calls(const GoroutineStack &stack, const BinaryFacts &facts, const SourceLines &lines);
  void name_calls(SourceLines &lines, BinaryNames &names);

  std::vector<Goroutine> goroutines_;
  std::unordered_map<ElfAddress, MapType, Hash> types_; // by return address
  std::unordered_map<ElfAddress, SourceFrame, Hash> sites_;
};

// Whether a function that creates, grows, clears, copies or writes maps lies there.
bool is_map_function(const BinaryFacts &facts, ElfAddress pc);

} // namespace mapscope
