// The daemon's metrics as Prometheus and OpenMetrics read them; docs/metrics.md lists them.
#pragma once

#include <string>

#include "flow/daemon_config.h"
#include "flow/daemon_view.h"

namespace mapscope {

enum class MetricsFormat { prometheus, open_metrics };

// Rows are bounded by `config`: the top ones by bytes, the rest summed under "other".
std::string metrics_text(const DaemonView &view, const ServeConfig &config, MetricsFormat format);

} // namespace mapscope
