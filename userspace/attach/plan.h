// Which probes should exist for one target, and what the kernel side must know of it: a
// pure function of the facts of its executable and of what the user wants.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "bpf/contract/targets.h"
#include "flow/binary_facts.h"

namespace mapscope {

// What a probe runs; one link for each kind and target.
enum class ProbeKind { map_operation, map_operation_return, heap_request, image_entry };
inline constexpr std::size_t kProbeKindCount = 4;

struct PlannedProbe {
  ProbeKind kind = ProbeKind::map_operation;
  std::string function;
  FileOffset offset;
  std::vector<std::uint8_t> expected; // bytes that must stand there; empty: not checked
  std::uint8_t subject = 0;           // enum map_operation or heap_request
  bool opens_window = false;
  bool on_stack_check = false; // see ProbePoint
};

enum class Depth {
  light,  // the stack is the only witness; only rare events are probed
  normal, // creation, growth and clearing, windows without return probes
  exact,  // also first groups, bucket moves, table internals and every return instruction
};

struct ProbePlan {
  std::vector<PlannedProbe> probes;
  target settings{};                 // all but tgid, flags of the moment and load bias
  std::vector<std::string> warnings; // sentences: what this plan cannot see
};

// Errc::unsupported when the facts do not suffice for any sound answer: no map functions,
// no layout of runtime.g.
Result<ProbePlan> plan_probes(const BinaryFacts &facts, Depth depth);

} // namespace mapscope
