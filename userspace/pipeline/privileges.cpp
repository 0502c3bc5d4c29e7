// Dropping capabilities; see privileges.h.
#include "pipeline/privileges.h"

#include <array>

#include <cap-ng.h>
#include <linux/capability.h>

namespace mapscope {

Result<> keep_tracing_privileges() {
  constexpr std::array kKept{CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};
  std::array<bool, kKept.size()> held{};
  capng_get_caps_process();
  for (std::size_t i = 0; i < kKept.size(); ++i)
    held[i] = capng_have_capability(CAPNG_EFFECTIVE, static_cast<unsigned>(kKept[i])) != 0;
  capng_clear(CAPNG_SELECT_CAPS);
  for (std::size_t i = 0; i < kKept.size(); ++i)
    if (held[i])
      capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                   static_cast<unsigned>(kKept[i]));
  if (capng_apply(CAPNG_SELECT_CAPS) != 0)
    return std::unexpected(Error::from_errno("dropping capabilities"));
  return {};
}

} // namespace mapscope
