// Which functions of the kernel look up, update and delete, by their distance from
// __bpf_call_base, which is what calls of translated instructions hold.
#pragma once

#include <cstdint>
#include <istream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernel/bpf_maps/call_sites.h"

namespace mapscope {

class KernelCalls {
public:
  // Errors: denied (addresses are hidden), unsupported (no __bpf_call_base), system.
  static Result<KernelCalls> read(); // of /proc/kallsyms
  static Result<KernelCalls> read(std::istream &kallsyms);

  BpfHelper helper_of(std::int32_t distance) const;

private:
  std::vector<std::pair<std::int32_t, BpfHelper>> helpers_; // by distance
};

// Of the function of that name; `unknown` where it is neither a helper nor a map's operation.
BpfHelper helper_named(std::string_view name);

} // namespace mapscope
