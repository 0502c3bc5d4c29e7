// From findings to people; see alerting.h.
#include "alert/alerting.h"

namespace mapscope {

Result<std::unique_ptr<Alerting>> Alerting::start(const AlertsConfig &, const AlertingOptions &) {
  return fail(Errc::unsupported, "alerts are not delivered yet");
}

} // namespace mapscope
