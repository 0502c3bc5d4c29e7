// Translated instructions, as recordings or a kernel that lies could give them.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/fuzz_target.h"
#include "kernel/bpf_maps/call_sites.h"

using namespace mapscope;

namespace {

BpfHelper helper_of(std::int32_t distance) {
  return static_cast<BpfHelper>(static_cast<std::uint32_t>(distance) %
                                (static_cast<std::uint32_t>(BpfHelper::unknown) + 1));
}

void check(const CallsPerRun &calls) {
  if (calls.most && calls.fewest > *calls.most)
    std::abort();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(call_sites_fuzz, data, size_bytes) {
  const auto sites = find_call_sites(std::as_bytes(std::span{data, size_bytes}), helper_of);
  if (!sites)
    return 0;
  for (const auto &[id, of_map] : sites->maps)
    for (const auto *calls : {&of_map.lookups, &of_map.updates, &of_map.deletes})
      check(*calls);
  check(sites->unresolved);
  return 0;
}
