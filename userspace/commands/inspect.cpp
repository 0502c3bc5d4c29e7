// Opens one binary in a confined parser and shows its facts.
#include "commands/inspect.h"

#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "binary/confined_parser.h"
#include "commands/exit_status.h"
#include "commands/messages.h"
#include "report/inspect_text.h"
#include "report/terminal.h"
#include "wire/facts_json.h"

namespace mapscope {
namespace {

struct InspectOptions {
  std::string path;
  bool json = false;
  bool functions = false;
};

Result<BinaryFacts> read_facts_of(const std::string &path) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; // a pipe must not hold us
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  return TRY(ConfinedBinary::open(std::move(file), path))->facts();
}

std::string json_text(const BinaryFacts &facts) {
  nlohmann::json document = facts_to_json(facts);
  document["schema"] = "mapscope.inspect/1";
  return document.dump(2) + "\n";
}

int inspect(const InspectOptions &options) {
  const auto facts = read_facts_of(options.path);
  if (!facts)
    return fail_with(facts.error());
  const std::string text = options.json        ? json_text(*facts)
                           : options.functions ? inspect_functions_text(*facts)
                                               : inspect_text(*facts, wants_colour(STDOUT_FILENO));
  std::fputs(text.c_str(), stdout);
  return as_int(ExitStatus::done);
}

} // namespace

void add_inspect(CLI::App &app, std::function<int()> &selected) {
  CLI::App *command = app.add_subcommand(
      "inspect", "What mapscope can see of a Go binary, and what it would probe");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("BINARY", options->path, "A Go executable")->required();
  auto *json =
      command->add_flag("--json", options->json, "One JSON document, schema mapscope.inspect/1");
  command->add_flag("--functions", options->functions, "The map functions, one a line")
      ->excludes(json);
  command->callback([&selected, options] { selected = [options] { return inspect(*options); }; });
}

} // namespace mapscope
