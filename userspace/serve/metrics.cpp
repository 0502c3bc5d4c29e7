// The daemon's metrics; see metrics.h.
#include "serve/metrics.h"

namespace mapscope {

std::string metrics_text(const DaemonView &, const ServeConfig &, MetricsFormat) { return {}; }

} // namespace mapscope
