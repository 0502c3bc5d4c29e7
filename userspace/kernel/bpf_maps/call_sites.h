// Where a program's translated instructions look up, update and delete in maps, and how often one
// run can: the fewest and the most over all paths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"

namespace mapscope {

enum class BpfHelper : std::uint8_t { other, lookup, update, remove, tail_call, loop, for_each };

// Calls of one kind on one map in one run.
struct CallsPerRun {
  std::uint64_t sites = 0;           // places in the code
  std::uint64_t fewest = 0;          // on any path through
  std::optional<std::uint64_t> most; // absent: a loop or a callback bounds it not
};
struct MapCallSites {
  CallsPerRun lookups, updates, deletes;
};

struct ProgramCallSites {
  std::map<std::uint32_t, MapCallSites> maps; // by id
  CallsPerRun unresolved;                     // on maps that the code finds at run time
  bool has_tail_calls = false;                // what it jumps to is in nobody's run count
};

// `instructions`: as BPF_OBJ_GET_INFO_BY_FD gives them, with ids where maps are. `helper_of` names
// the function that a call's immediate leads to. Errors: malformed, unsupported (an instruction
// that this build does not know).
Result<ProgramCallSites> find_call_sites(std::span<const std::byte> instructions,
                                         const std::function<BpfHelper(std::int32_t)> &helper_of);

} // namespace mapscope
