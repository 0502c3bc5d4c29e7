// An alert as receivers are told it, and as the database keeps it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "flow/alert.h"

namespace mapscope {

struct AlertNotice {
  Alert alert;
  // Alertmanager knows an alert by these, so they stay what they were when it began to fire, even
  // if its site is learned later.
  std::map<std::string, std::string> labels;
  bool is_update = false; // it fires already; its numbers have changed
};

// Labels of a finding that begins to fire. `configured` are added to all; a rule's own go over
// them, and what says which alert it is over both.
std::map<std::string, std::string>
alert_labels(const Finding &finding, std::string_view host,
             const std::map<std::string, std::string> &configured);

// For the database; parse_notice() reads it. Errors: malformed.
std::string stored_text(const AlertNotice &notice);
Result<AlertNotice> parse_notice(std::string_view text);

// The document "mapscope.alerts/1" of docs/alerts.md: for webhooks, commands and, one in each
// line, files.
std::string alerts_document(std::string_view host, std::span<const AlertNotice> notices);

// The body of POST /api/v2/alerts. `firing_end_ns`, of the wall clock: when Alertmanager is to take
// a firing one for over unless it is sent again. No time is later than that.
std::string alertmanager_body(std::span<const AlertNotice> notices, std::uint64_t now_wall_ns,
                              std::uint64_t firing_end_ns);

// RFC 3339 in UTC: "2026-08-22T10:00:00.123456789Z".
std::string rfc3339(std::uint64_t wall_ns);

// "bytes 12 MiB, share 0.5, ..." for people.
std::string numbers_text(const std::map<std::string, double> &numbers);

} // namespace mapscope
