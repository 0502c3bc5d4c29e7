// The receiver that a configuration names.
#include "alert/alert_sink.h"

#include "alert/command_sink.h"
#include "alert/file_sink.h"
#include "alert/http_sink.h"
#include "base/overloaded.h"

namespace mapscope {

Result<std::unique_ptr<AlertSink>> make_alert_sink(const SinkConfig &config,
                                                   const std::string &host) {
  using Made = Result<std::unique_ptr<AlertSink>>;
  Made sink = std::visit(
      overloaded{[](const AlertmanagerSink &kind) { return make_alertmanager_sink(kind); },
                 [&](const WebhookSink &kind) { return make_webhook_sink(kind, host); },
                 [&](const FileSink &kind) -> Made { return make_file_sink(kind, host); },
                 [&](const CommandSink &kind) { return make_command_sink(kind, host); }},
      config.kind);
  if (!sink)
    return std::unexpected(
        std::move(sink).error().while_doing(fmt::format("alert sink \"{}\"", config.name)));
  return sink;
}

} // namespace mapscope
