// Dropping capabilities; see privileges.h.
#include "pipeline/privileges.h"

#include <initializer_list>
#include <vector>

#include <cap-ng.h>
#include <linux/capability.h>

namespace mapscope {
namespace {

Result<> keep(std::initializer_list<int> wanted) {
  std::vector<unsigned> held;
  capng_get_caps_process();
  for (const int capability : wanted)
    if (capng_have_capability(CAPNG_EFFECTIVE, static_cast<unsigned>(capability)) != 0)
      held.push_back(static_cast<unsigned>(capability));
  capng_clear(CAPNG_SELECT_CAPS);
  for (const unsigned capability : held)
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                 capability);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0)
    return std::unexpected(Error::from_errno("dropping capabilities"));
  return {};
}

} // namespace

Result<> keep_tracing_privileges() {
  return keep({CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH});
}

Result<> keep_bpf_map_privileges() {
  return keep(
      {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SYSLOG});
}

} // namespace mapscope
