// Everything the daemon's configuration says, with its defaults. Read by config/; every part of
// the daemon takes its own struct of these.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "flow/rule.h"

namespace mapscope {

using Milliseconds = std::chrono::milliseconds;

// Which processes are looked at: Go programs that one of `include` matches (none: all), unless one
// of `exclude` does.
struct WatchConfig {
  std::vector<ProcessSelector> include, exclude;
  std::uint32_t processes_max = 1000;
};

struct CensusConfig {
  Seconds interval{60};          // of a process that changes as most do
  Seconds shortest{10};          // of one whose maps grow
  Seconds longest{600};          // of one with a big heap, or that does nothing
  double cpu_share = 0.01;       // of one core, for all processes together
  std::uint32_t maps_max = 1000; // per process that rules are told of
  std::uint32_t maps_shown = 20; // per process that the API and metrics show
  // A census of a process near its memory limit is kept here; empty: nowhere.
  std::string snapshot_directory = "/var/lib/mapscope/snapshots";
  std::uint64_t snapshots_max_bytes = 1ULL << 30; // of all; the oldest go
};

struct EventsConfig {
  bool enabled = true;
  double cpu_share = 0.01; // of the CPU time that the watched process uses itself
};

// File I/O verification; a rule of kind file-io has to want it.
struct VerifyConfig {
  Seconds at_start{30}; // from the start of a process; 0: not then
  Seconds every{3600};  // 0: never again
  Seconds for_{10};
};

// Looks at the kernel's own maps; a rule about them has to want it, or `metrics`.
struct BpfConfig {
  bool enabled = true;
  Seconds interval{60};
  bool metrics = true;            // looks without any rule
  Milliseconds count_budget{100}; // CPU time a minute for counting entries
  Milliseconds rate_window{200};  // in each interval; every system call is taxed meanwhile
  std::string key_directory = "/var/lib/mapscope/bpf-keys"; // empty: no key files
  std::uint64_t key_file_bytes = 1U << 20;                  // of one
  std::uint64_t key_files_max_bytes = 64U << 20;            // of all; the oldest go
};

struct HttpEndpoint {
  std::string url; // http:// or https://
  std::map<std::string, std::string> headers;
  std::string username, password_file, bearer_token_file;
  std::string ca_file, certificate_file, key_file; // TLS; empty: the system's, none
  Milliseconds timeout{10'000};
};

struct AlertmanagerSink {
  HttpEndpoint endpoint; // its base: /api/v2/alerts is added
  Seconds resend{60};    // firing ones are sent again, since Alertmanager forgets them
};
struct WebhookSink {
  HttpEndpoint endpoint;
};
struct FileSink {
  std::string path; // JSON lines, appended; opened again for each batch
};
struct CommandSink {
  std::vector<std::string> command; // gets one JSON document on standard input
  Milliseconds timeout{30'000};
};
struct SinkConfig {
  std::string name; // unique
  std::variant<AlertmanagerSink, WebhookSink, FileSink, CommandSink> kind;
  std::uint32_t queue_max = 10'000; // undelivered alerts; beyond it the oldest resolved go first
  Milliseconds retry_first{1'000}, retry_longest{300'000};
  bool send_resolved = true;
};

// Matching alerts are not delivered. Labels as Alertmanager has them; values are globs.
struct Silence {
  std::map<std::string, std::string> match;
  std::optional<std::uint64_t> until_wall_ns; // absent: always
  std::string comment;
};

struct AlertsConfig {
  std::string database = "/var/lib/mapscope/alerts.db";
  std::vector<SinkConfig> sinks;
  std::vector<Silence> silences;
  std::uint32_t per_rule_per_hour = 60;      // new alerts; what is above is counted and kept
  std::map<std::string, std::string> labels; // added to all: cluster, zone, ...
};

struct ServeConfig {
  std::string address = "127.0.0.1:9435";             // empty: no TCP
  std::string socket = "/run/mapscope/mapscope.sock"; // empty: none
  std::uint32_t metric_maps_max = 20;                 // rows per process; the rest is summed
  std::uint32_t metric_processes_max = 200;
};

// Guardrails: the daemon looks less often before it takes more.
struct LimitsConfig {
  std::uint64_t memory_bytes = 256U << 20;
  double cpu_share = 0.05; // of one core, over a minute, all together
};

struct LogConfig {
  std::string level = "info";  // error, warning, info, debug, trace
  std::string target = "auto"; // journal, console, or auto: the journal under systemd
};

struct DaemonConfig {
  WatchConfig watch;
  CensusConfig census;
  EventsConfig events;
  VerifyConfig verify;
  BpfConfig bpf;
  std::vector<Rule> rules; // where the file says nothing of rules: default_rules()
  AlertsConfig alerts;
  ServeConfig serve;
  LimitsConfig limits;
  LogConfig log;
};

} // namespace mapscope
