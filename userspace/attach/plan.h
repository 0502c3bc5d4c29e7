// Which probes should exist for one target, and what the kernel side must know of it: a
// pure function of the facts of its executable and of what the user wants.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bpf/contract/targets.h"
#include "flow/binary_facts.h"

namespace mapscope {

// What a probe runs; one link for each kind and target.
enum class ProbeKind { map_operation, map_operation_return, heap_request, image_entry, map_misuse };
inline constexpr std::size_t kProbeKindCount = 5;

struct PlannedProbe {
  ProbeKind kind = ProbeKind::map_operation;
  std::string function;
  FileOffset offset;
  std::vector<std::uint8_t> expected; // bytes that must stand there; empty: not checked
  std::uint8_t subject = 0;           // enum map_operation, heap_request or map_misuse
  bool opens_window = false;
  bool on_stack_check = false; // see ProbePoint
};

enum class Depth {
  light,  // the rarest growth only, and no windows: the stack is the only witness
  rare,   // what happens once in many assignments: growth past small maps, creation with a hint
  normal, // every creation and growth, and clearing; windows without return probes
  full,   // also attempts to get rid of tombstones: one for each growth of a table
  exact,  // also first groups, bucket moves, table internals and every return instruction
};

// What a command wants to see of a target.
struct ProbeChoice {
  Depth depth = Depth::normal;
  bool windows = true; // probes open windows; never at Depth::light, always at Depth::exact
  bool heap_requests = true;
  bool misuse = false; // the runtime's reports of concurrent use and of writes to a nil map
  // Of those that the depth says, only these. Indexed by map_operation.
  std::optional<std::bitset<MAP_OPERATION_COUNT>> only;

  bool opens_windows() const { return depth == Depth::exact || (windows && depth != Depth::light); }
};

struct ProbePlan {
  std::vector<PlannedProbe> probes;
  target settings{};                 // all but tgid, flags of the moment and load bias
  std::vector<std::string> warnings; // sentences: what this plan cannot see
};

// Errc::unsupported when the facts do not suffice for any sound answer: no map functions,
// no layout of runtime.g.
Result<ProbePlan> plan_probes(const BinaryFacts &facts, const ProbeChoice &choice);

} // namespace mapscope
