// Three documents of the daemon and one text; see status.h.
#include "commands/status.h"

#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "commands/exit_status.h"
#include "commands/messages.h"
#include "flow/daemon_config.h"
#include "report/status_text.h"
#include "report/terminal.h"
#include "serve/api_server.h"

namespace mapscope {
namespace {

struct StatusOptions {
  std::string socket = ServeConfig{}.socket;
  bool json = false;
  bool findings = false;
};

// What is printed, and whether anything fires.
struct StatusAnswer {
  std::string text;
  bool fires = false;
};

constexpr auto kStatusPath = "/api/v1/status", kFindingsPath = "/api/v1/findings";

Result<StatusAnswer> ask(const StatusOptions &options) {
  StatusDocuments documents;
  documents.status = TRY(ask_daemon(options.socket, kStatusPath));
  StatusAnswer answer{.fires = TRY(firing_findings(documents.status)) != 0};
  if (!options.json || options.findings)
    documents.findings = TRY(ask_daemon(options.socket, kFindingsPath));
  if (options.json) {
    answer.text = options.findings ? documents.findings : documents.status;
    return answer;
  }
  documents.processes = TRY(ask_daemon(options.socket, "/api/v1/processes?limit=50"));
  answer.text = TRY(status_text(
      documents, {.colour = wants_colour(STDOUT_FILENO), .all_findings = options.findings}));
  return answer;
}

int status(const StatusOptions &options) {
  const Result<StatusAnswer> answer = ask(options);
  if (!answer) {
    const int status =
        fail_with(answer.error(), "the rights of the socket's owner or group, which the daemon "
                                  "gives to root");
    // The daemon that went is not what was watched: nothing can be told.
    return answer.error().code() == Errc::gone ? as_int(ExitStatus::could_not_tell) : status;
  }
  std::fputs(answer->text.c_str(), stdout);
  return as_int(answer->fires ? ExitStatus::found : ExitStatus::done);
}

} // namespace

void add_status(CLI::App &app, std::function<int()> &selected) {
  CLI::App *command = app.add_subcommand(
      "status", "Ask a running daemon what it watches, what fires and what it lost");
  const auto options = std::make_shared<StatusOptions>();
  command->add_option("--socket", options->socket, "The daemon's socket")->capture_default_str();
  command->add_flag("--json", options->json,
                    "The daemon's document, schema mapscope.status/1; with --findings "
                    "mapscope.findings/1");
  command->add_flag("--findings", options->findings,
                    "Findings with their causes and fixes, those that are over as well");
  command->callback([&selected, options] { selected = [options] { return status(*options); }; });
}

} // namespace mapscope
