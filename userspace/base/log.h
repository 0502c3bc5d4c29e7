// Where a daemon's log goes, and how much of it. Everything else speaks to spdlog itself.
#pragma once

#include <string_view>

namespace mapscope {

enum class LogTarget { console, journal };

// The journal under systemd (which says so to the processes it starts), else the console.
LogTarget usual_log_target();

// From now on spdlog's default logger writes there: to standard error, with time and level, or to
// the journal, which knows both.
void start_log(LogTarget target);

// "error", "warning", "info", "debug" or "trace". False: none of these, and nothing changes.
bool set_log_level(std::string_view level);

} // namespace mapscope
