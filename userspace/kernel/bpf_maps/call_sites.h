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

enum class BpfHelper : std::uint8_t {
  other,
  lookup,
  update,
  remove,
  tail_call,
  loop,             // calls its callback before it returns
  for_each,         // the same, with its map as the callback's first argument
  lookup_or_update, // of local storage, which it may create
  update_second,    // the map is its second argument
  throw_exception,  // ends all functions of the program
  unknown,          // no function of that address
};

// Calls of one kind on one map in one run.
struct CallsPerRun {
  std::uint64_t sites = 0;           // places in the code
  std::uint64_t fewest = 0;          // on any path through
  std::optional<std::uint64_t> most; // absent: a loop or a callback bounds it not
};
struct MapCallSites {
  CallsPerRun lookups, updates, deletes;
  bool beyond_runs = false; // a timer or work queue calls as well, in no run of the program
};

struct ProgramCallSites {
  // By id; all that the code names. A call on one of several maps is in the bounds of each.
  std::map<std::uint32_t, MapCallSites> maps;
  MapCallSites inner; // on maps that other maps hold
  MapCallSites lost;  // on maps that the code names, or gets as arguments: it is not known which.
                      // In the bounds of `maps` already
  CallsPerRun unresolved;      // inner and lost, of all kinds
  bool has_tail_calls = false; // what it jumps to is in nobody's run count
};

// A call is one of bpf_map_lookup_elem(), its kin (of one CPU's value, of the front of a queue, of
// local storage), or of the code that the kernel put in its place. Helpers that index a map for a
// purpose of their own (redirect, tail call, stack traces) are none.
//
// `instructions`: as BPF_OBJ_GET_INFO_BY_FD gives them, with ids where maps are. `helper_of` names
// the function that a call's immediate leads to. Errors: malformed, unsupported (an instruction
// that this build does not know, blinded constants, code that is too large).
Result<ProgramCallSites> find_call_sites(std::span<const std::byte> instructions,
                                         const std::function<BpfHelper(std::int32_t)> &helper_of);

} // namespace mapscope
