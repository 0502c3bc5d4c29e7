// What `mapscope status` shows: a running daemon's own documents, as text for people.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace mapscope {

// As the daemon answered: schemas mapscope.status/1, mapscope.processes/1 and mapscope.findings/1.
struct StatusDocuments {
  std::string status, processes, findings;
};

struct StatusTextOptions {
  bool colour = false;
  bool all_findings = false; // with their causes and fixes, and those that are over
};

// How many findings fire, by the status. Errors: malformed, a document of something else.
Result<std::uint64_t> firing_findings(const std::string &status);

// Errors: malformed.
Result<std::string> status_text(const StatusDocuments &documents, StatusTextOptions options);

} // namespace mapscope
