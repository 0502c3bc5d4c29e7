// Tries every feature, shows the answers, and says by its status which commands can run.
#include "commands/doctor.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "commands/exit_status.h"
#include "kernel/features.h"
#include "report/doctor_report.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

std::string kernel_name() {
  utsname name{};
  uname(&name);
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

// Privileges come first: with more of them, the rest can be told.
ExitStatus exit_status(const DoctorReport &report) {
  ExitStatus status = ExitStatus::done;
  for (const std::string &command : report.commands)
    for (const Feature &feature : missing_for(command, report.features)) {
      if (feature.availability == Availability::denied)
        return ExitStatus::not_permitted;
      status = ExitStatus::found;
    }
  return status;
}

int doctor(bool json) {
  const DoctorReport report{
      .kernel = kernel_name(),
      .commands = {"verify", "trace", "maps", "bpf-maps", "daemon", "record", "inspect"},
      .features = find_features()};
  const std::string text =
      json ? doctor_json(report) : doctor_text(report, wants_colour(STDOUT_FILENO));
  std::fputs(text.c_str(), stdout);
  return as_int(exit_status(report));
}

} // namespace

void add_doctor(CLI::App &app, std::function<int()> &selected) {
  CLI::App *command =
      app.add_subcommand("doctor", "What this kernel, its settings and these privileges allow");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON document, schema mapscope.doctor/1");
  command->callback([&selected, json] { selected = [json] { return doctor(*json); }; });
}

} // namespace mapscope
