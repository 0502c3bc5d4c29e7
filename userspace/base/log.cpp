// Where a daemon's log goes; see log.h.
#include "base/log.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace mapscope {

LogTarget usual_log_target() {
  return std::getenv("JOURNAL_STREAM") != nullptr ? LogTarget::journal : LogTarget::console;
}

void start_log(LogTarget target) {
  std::shared_ptr<spdlog::logger> logger;
  if (target == LogTarget::journal)
    logger = std::make_shared<spdlog::logger>(
        "mapscope", std::make_shared<spdlog::sinks::systemd_sink_mt>("mapscope"));
  else
    logger = std::make_shared<spdlog::logger>(
        "mapscope", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(spdlog::default_logger()->level());
  logger->flush_on(spdlog::level::info);
  if (target == LogTarget::console)
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  spdlog::set_default_logger(std::move(logger));
}

bool set_log_level(std::string_view level) {
  constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 5> kLevels = {
      {{"error", spdlog::level::err},
       {"warning", spdlog::level::warn},
       {"info", spdlog::level::info},
       {"debug", spdlog::level::debug},
       {"trace", spdlog::level::trace}}};
  for (const auto &[name, value] : kLevels)
    if (name == level) {
      spdlog::set_level(value);
      return true;
    }
  return false;
}

} // namespace mapscope
