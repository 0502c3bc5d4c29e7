// Receivers over HTTP: Alertmanager's API v2, and any that takes the document of docs/alerts.md.
#pragma once

#include <memory>
#include <string>

#include "alert/alert_sink.h"

namespace mapscope {

// Errors: usage.
Result<std::unique_ptr<AlertSink>> make_alertmanager_sink(const AlertmanagerSink &config);
Result<std::unique_ptr<AlertSink>> make_webhook_sink(const WebhookSink &config,
                                                     const std::string &host);

} // namespace mapscope
