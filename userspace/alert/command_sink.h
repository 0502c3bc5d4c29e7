// Alerts for a program of the operator's: one run for each.
#pragma once

#include <memory>
#include <string>

#include "alert/alert_sink.h"

namespace mapscope {

// Errors: usage.
Result<std::unique_ptr<AlertSink>> make_command_sink(const CommandSink &config,
                                                     const std::string &host);

} // namespace mapscope
