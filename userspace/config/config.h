// The daemon's YAML file as a DaemonConfig; every error names file, line and column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "flow/daemon_config.h"

namespace mapscope {

// Errors: not_found, denied, system (the file); usage: what is wrong in it, all of it, one sentence
// a line, "mapscope.yaml:12:5: rules[3].hold: ...".
Result<DaemonConfig> read_config(const std::string &path);

// `name` is for messages. Errors: usage.
Result<DaemonConfig> parse_config(std::string_view text, std::string_view name);

// What is in force where the file says nothing: silent on a busy host where nothing is wrong.
std::vector<Rule> default_rules();
// What an empty file says.
DaemonConfig default_config();

// The configuration as a file that says all of it, and reads as the same again.
std::string config_text(const DaemonConfig &config);

// Every key that a file may have, as "alerts.sinks[].url".
std::vector<std::string> config_keys();

} // namespace mapscope
