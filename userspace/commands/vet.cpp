// Reads what is named, judges it, and prints the findings; see vet.h.
#include "commands/vet.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/format.h"
#include "base/printable.h"
#include "binary/bpf_object.h"
#include "commands/exit_status.h"
#include "commands/messages.h"
#include "commands/vet_inputs.h"
#include "report/terminal.h"
#include "vet/bpf_rules.h"
#include "vet/go_vet.h"
#include "vet/vet_report.h"
#include "vet/vet_rules.h"
#include "vet/vet_text.h"

namespace mapscope {
namespace {

struct VetCommand {
  std::vector<std::string> files;
  VetOptions options;
  int fail_on = static_cast<int>(VetLevel::warning);
  bool json = false, sarif = false, no_go = false;
  std::string go_analyzer;
  unsigned go_timeout_s = 600;
};

// --fail-on never: above all levels.
constexpr int kNever = static_cast<int>(kVetLevelNames.size());

void vet_object(const std::string &path, const VetCommand &command, VetReport &report) {
  const auto bytes = read_vet_file(path);
  const Result<BpfObjectFacts> facts =
      bytes ? read_bpf_object(*bytes, path) : std::unexpected(bytes.error());
  if (!facts) {
    report.problems.push_back({path, printable(facts.error().message())});
    return;
  }
  ++report.objects;
  report.maps += facts->maps.size() + facts->undescribed_maps.size();
  const std::vector<VetFinding> findings = vet_bpf_object(*facts, command.options);
  report.findings.insert(report.findings.end(), findings.begin(), findings.end());
}

void vet_go(const std::vector<GoVetRun> &runs, const std::string &base, const VetCommand &command,
            VetReport &report) {
  const Result<std::string> analyzer = find_go_analyzer(command.go_analyzer);
  if (!analyzer) {
    for (const GoVetRun &run : runs)
      report.problems.push_back({run.directory, analyzer.error().message()});
    return;
  }
  const ChildLimits limits{.time = std::chrono::seconds{command.go_timeout_s}};
  for (const GoVetRun &run : runs)
    if (Result<> done = run_go_vet(run, *analyzer, base, limits, command.options, report); !done)
      report.problems.push_back(
          {run.directory,
           done.error().code() == Errc::not_found
               ? fmt::format("{}; Go sources need the go command in PATH", done.error().message())
               : done.error().message()});
}

void print_text(const VetReport &report) {
  std::fputs(vet_text(report.findings, wants_colour(STDOUT_FILENO)).c_str(), stdout);
  std::fflush(stdout);
  std::string looked_at;
  if (report.objects != 0 || report.go_runs == 0)
    looked_at = fmt::format("{} with {}", format_counted(report.objects, "BPF object"),
                            format_counted(report.maps, "map"));
  if (report.go_runs != 0)
    looked_at += fmt::format("{}{} of go vet", looked_at.empty() ? "" : ", ",
                             format_counted(report.go_runs, "run"));
  if (report.big_endian != 0)
    looked_at +=
        fmt::format("; {} left out", format_counted(report.big_endian, "big-endian object"));
  say(fmt::format("{} in {}", format_counted(report.findings.size(), "finding"), looked_at));
}

int vet(const VetCommand &command) {
  VetReport report;
  VetInputs inputs = find_vet_inputs(command.files, report);
  std::error_code error;
  const std::string base = std::filesystem::current_path(error).string();
  for (const std::string &path : inputs.objects)
    vet_object(path, command, report);
  if (!inputs.go_runs.empty() && !command.no_go)
    vet_go(inputs.go_runs, base, command, report);
  order_findings(report);

  if (command.json || command.sarif)
    std::fputs((command.json ? vet_json(report) : vet_sarif(report, base)).c_str(), stdout);
  else
    print_text(report);
  for (const VetProblem &problem : report.problems)
    say(fmt::format("{}{}{}", printable(problem.file), problem.file.empty() ? "" : ": ",
                    problem.message));

  const bool is_found = std::ranges::any_of(report.findings, [&](const VetFinding &finding) {
    return static_cast<int>(finding.level) >= command.fail_on;
  });
  if (is_found)
    return as_int(ExitStatus::found);
  return as_int(report.problems.empty() ? ExitStatus::done : ExitStatus::could_not_tell);
}

std::string check_rule(const std::string &name) {
  if (find_vet_rule(name) != nullptr)
    return {};
  std::string known;
  for (const VetRule &rule : vet_rules())
    known += fmt::format("{}{}", known.empty() ? "" : ", ", rule.id);
  return fmt::format("{} is no rule; there are {}", printable(name), known);
}

} // namespace

void add_vet(CLI::App &app, std::function<int()> &selected) {
  CLI::App *command = app.add_subcommand(
      "vet", "Find what will bloat in BPF objects and Go sources, before it runs");
  const auto options = std::make_shared<VetCommand>();
  command
      ->add_option("FILE", options->files,
                   "BPF objects (.bpf.o), directories, Go files, or packages (./...)")
      ->required();
  auto *json = command->add_flag("--json", options->json, "One document, schema mapscope.vet/1");
  command->add_flag("--sarif", options->sarif, "One SARIF 2.1.0 document, for code scanning")
      ->excludes(json);
  std::map<std::string, int> levels{{"never", kNever}};
  for (std::size_t level = 0; level < kVetLevelNames.size(); ++level)
    levels.emplace(kVetLevelNames[level], static_cast<int>(level));
  command
      ->add_option("--fail-on", options->fail_on,
                   "End with status 1 at findings of this level and above: note, warning, error "
                   "or never")
      ->transform(CLI::CheckedTransformer(levels).description(""))
      ->type_name("LEVEL")
      ->default_str("warning");
  command->add_option("--disable", options->options.disabled, "A rule that is not told; repeatable")
      ->delimiter(',')
      ->allow_extra_args(false) // a FILE behind it is none
      ->check(CLI::Validator(check_rule, ""))
      ->type_name("RULE");
  command
      ->add_option("--max-bytes", options->options.max_bytes,
                   "Kernel memory of one map that is an error; a quarter is a warning")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::uint64_t{4096}, std::uint64_t{1} << 50).description(""))
      ->type_name("SIZE")
      ->default_str("1GiB");
  command
      ->add_option("--cpus", options->options.cpus,
                   "CPUs of the host that per-CPU maps are judged for")
      ->check(CLI::Range(1U, 8192U).description(""))
      ->capture_default_str();
  command->add_flag("--no-go", options->no_go, "Leave Go sources out");
  command
      ->add_option("--go-analyzer", options->go_analyzer,
                   "The program mapscope-vet; else beside mapscope, or in PATH")
      ->type_name("FILE");
  command
      ->add_option("--go-timeout", options->go_timeout_s, "Seconds that one run of go vet may take")
      ->check(CLI::Range(1U, 86'400U).description(""))
      ->capture_default_str();
  command->callback([&selected, options] { selected = [options] { return vet(*options); }; });
}

} // namespace mapscope
