// What rules conclude, and what is told to people: a finding is of a moment, an alert lives from
// firing to resolved and survives restarts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flow/process_identity.h"
#include "flow/rule.h"

namespace mapscope {

// The map of the kernel that a finding is about.
struct FindingBpfMap {
  std::uint32_t id = 0;
  std::string name;
  std::string method;   // how its fill was come by: "counted", ...
  std::string key_file; // where its keys were written; empty: they were not
  friend bool operator==(const FindingBpfMap &, const FindingBpfMap &) = default;
};

// What a rule has to say of one subject: that it fires, that its numbers changed, or that it is
// over. Made by judge/rules/.
struct Finding {
  std::string fingerprint; // 32 hex digits, of rule, process and subject; the same after a restart
  std::string rule, kind;
  Severity severity = Severity::warning;
  bool is_firing = true;
  ProcessIdentity process;
  std::string type, owner, site;         // of the map or maps; empty: not known, or not about one
  std::uint64_t maps = 0;                // that have the same site
  std::optional<FindingBpfMap> bpf_map;  // then there is no process: its pid is 0
  std::map<std::string, double> numbers; // "bytes", "reclaimable_bytes", "threshold", ...
  std::string summary;                   // a sentence with subject and numbers
  std::string cause, fix;                // sentences; empty: not known
  std::string resolution;                // why it is over: a sentence; while firing, empty
  std::map<std::string, std::string> labels; // of the rule
  std::uint64_t since_ns = 0;                // CLOCK_MONOTONIC: when the condition began to hold
  std::uint64_t time_ns = 0;                 // of what it was concluded from
};

// A finding with what only the outside knows. Times are of the wall clock, in ns since 1970.
struct Alert {
  Finding finding;
  std::string host; // its name
  std::uint64_t since_wall_ns = 0, updated_wall_ns = 0;
  std::uint64_t resolved_wall_ns = 0; // 0: firing
  bool is_silenced = false;           // kept and listed, told to nobody
};

} // namespace mapscope
