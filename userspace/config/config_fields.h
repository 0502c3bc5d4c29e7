// The whole configuration as it stands in the file.
#pragma once

#include "config/fields.h"
#include "flow/daemon_config.h"

namespace mapscope::configuration {

// The key that says whether `rules` stand over the default rules or alone.
inline constexpr std::string_view kDefaultRulesKey = "default_rules";

ConfigFields<DaemonConfig> config_fields();

} // namespace mapscope::configuration
