// System calls of one process, from records to what they mean: name, result, exact place,
// map operation and source line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "flow/attributed_event.h"
#include "flow/binary_facts.h"
#include "flow/source.h"

namespace mapscope {

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
  void set_load_bias(LoadBias bias);

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

  struct Counts {
    std::uint64_t without_result = 0; // calls whose announced result never came
    std::uint64_t waiting_full = 0;   // of them: handed on at once, since too many waited
    std::uint64_t unsymbolized = 0;   // addresses that the symbolizer failed on
    std::string symbolizer_error;     // its last failure
  };
  const Counts &counts() const { return counts_; }

private:
  // A call whose addresses have not been turned into source lines yet.
  struct Call {
    AttributedCall call;
    std::uint64_t ip = 0;
    std::uint64_t map_pc = 0;
    std::uint32_t witnesses = 0; // enum witness_flag
    map_operation window_operation = MAP_OPERATION_NONE;
    std::vector<std::uint64_t> stack; // process addresses as recorded, innermost first
    bool path_missing = false;
  };

  Call begin(const system_call_event &event) const;
  void accept(Call call, bool wants_result);
  std::vector<AttributedCall> complete();
  void symbolize_new();
  void attribute(Call &call) const;
  const SourceFrames *frames_of(std::uint64_t pc) const;
  std::optional<ElfAddress> call_site(std::uint64_t pc) const;

  ProcessKey process_;
  const BinaryFacts &facts_;
  Symbolizer &symbolizer_;
  std::size_t waiting_max_;
  std::optional<LoadBias> bias_;
  std::unordered_map<std::uint32_t, Call> waiting_; // by tid
  std::vector<Call> complete_;
  std::map<ElfAddress, SourceFrames> frames_; // of every address ever asked for
  Counts counts_;
};

} // namespace mapscope
