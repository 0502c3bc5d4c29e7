// One receiver of alerts: takes a batch, and says what became of it. How often and in what order
// is decided outside.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "alert/notice.h"
#include "base/error.h"
#include "flow/daemon_config.h"

namespace mapscope {

enum class DeliveryOutcome : std::uint8_t {
  accepted,
  try_later, // the receiver, or the way to it
  refused,   // these alerts; others may be taken
};

struct AlertDelivery {
  DeliveryOutcome outcome = DeliveryOutcome::accepted;
  std::string problem;                                 // a sentence; empty: accepted
  std::optional<std::chrono::milliseconds> not_before; // the receiver named a time
};

class AlertSink {
public:
  virtual ~AlertSink() = default;
  // Called by one thread at a time.
  virtual AlertDelivery deliver(std::span<const AlertNotice> notices) = 0;
  // From any thread: what is under way ends soon, and nothing begins any more.
  virtual void cut_off() = 0;
  virtual std::size_t batch_max() const = 0;
  // How often it wants to be told again what fires; absent: never.
  virtual std::optional<std::chrono::milliseconds> resend() const { return std::nullopt; }
};

// Errors: usage, with what is wrong with the configuration.
Result<std::unique_ptr<AlertSink>> make_alert_sink(const SinkConfig &config,
                                                   const std::string &host);

} // namespace mapscope
