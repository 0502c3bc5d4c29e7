// From findings to people: kept in a database until every sink has taken them, each sink at its
// own pace. A restart or a dead receiver loses none.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/alert.h"
#include "flow/daemon_config.h"
#include "flow/daemon_view.h"

namespace mapscope {

struct AlertingOptions {
  std::string host;    // its name, for messages
  std::string boot_id; // findings of another boot are over: their processes are gone
  // The log is the journal: findings go there by themselves, with fields such as MAPSCOPE_RULE.
  bool to_journal = false;
};

struct AlertingFigures {
  std::vector<SinkFigures> sinks;
  std::uint64_t silenced = 0, rate_limited = 0;
  std::uint64_t without_room = 0;   // neither kept nor told: too many alerts at once
  std::uint64_t kept_in_memory = 0; // the database could not take them (a full disk); tried again
  std::string database_problem;     // empty: none
};

class Alerting {
public:
  // Opens the database, and begins to deliver what it holds. Errors: denied, system; malformed: a
  // database of something else, or damaged (it is moved aside and said so, where that is possible).
  static Result<std::unique_ptr<Alerting>> start(const AlertsConfig &config,
                                                 const AlertingOptions &options);
  virtual ~Alerting() = default; // as stop() without patience

  // Firing ones of this boot, kept from before: for RuleEngine::restore().
  virtual std::vector<Finding> firing() const = 0;
  // On disk when this returns, or counted as kept in memory. Never waits for a receiver.
  virtual void take(std::vector<Finding> findings) = 0;
  // Sinks that are no more lose their queues; others go on where they were.
  virtual Result<> reconfigure(const AlertsConfig &config) = 0;
  // Waits until everything has been delivered. False: something was not, in time.
  virtual bool flush(std::chrono::milliseconds timeout) = 0;
  // Lets deliveries under way end for at most so long.
  virtual void stop(std::chrono::milliseconds patience) = 0;

  // Firing ones, and those resolved within the last hour; the latest first.
  virtual std::vector<Alert> alerts() const = 0;
  virtual AlertingFigures figures() const = 0;
};

} // namespace mapscope
