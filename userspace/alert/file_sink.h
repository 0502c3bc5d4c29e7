// Alerts as lines of a file.
#pragma once

#include <memory>
#include <string>

#include "alert/alert_sink.h"

namespace mapscope {

std::unique_ptr<AlertSink> make_file_sink(const FileSink &config, const std::string &host);

} // namespace mapscope
