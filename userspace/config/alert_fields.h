// Where alerts go, as it stands in the file.
#pragma once

#include "config/fields.h"
#include "flow/daemon_config.h"

namespace mapscope::configuration {

ConfigValue<AlertsConfig> alerts_section();

} // namespace mapscope::configuration
