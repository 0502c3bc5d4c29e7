// Paths through translated instructions; see call_sites.h.
#include "kernel/bpf_maps/call_sites.h"

namespace mapscope {

Result<ProgramCallSites> find_call_sites(std::span<const std::byte>,
                                         const std::function<BpfHelper(std::int32_t)> &) {
  return ProgramCallSites{};
}

} // namespace mapscope
