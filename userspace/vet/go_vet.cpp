// Finding and calling the tools; see go_vet.h.
#include "vet/go_vet.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include "vet/go_vet_output.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

constexpr auto kAnalyzer = "mapscope-vet";

bool is_program(const fs::path &path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::vector<fs::path> candidates() {
  std::vector<fs::path> paths;
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (!error) {
    paths.push_back(own / "../libexec/mapscope" / kAnalyzer); // installed
    paths.push_back(own / "../mapscope-vet" / kAnalyzer);     // in a build tree
    paths.push_back(own / kAnalyzer);
  }
  const char *path = ::secure_getenv("PATH");
  for (std::string_view rest = path == nullptr ? "" : path; !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (end != 0)
      paths.push_back(fs::path{rest.substr(0, end)} / kAnalyzer);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return paths;
}

} // namespace

Result<std::string> find_go_analyzer(const std::string &wanted) {
  std::error_code error;
  if (!wanted.empty()) {
    if (!is_program(wanted))
      return fail(Errc::not_found, "{} is no program", wanted);
    return fs::absolute(wanted, error).string();
  }
  for (const fs::path &path : candidates())
    if (is_program(path))
      return fs::weakly_canonical(path, error).string();
  return fail(Errc::not_found,
              "Go sources are judged by {0}, which is neither beside mapscope "
              "(../libexec/mapscope/{0}) nor in PATH: install it, or name it with --go-analyzer",
              kAnalyzer);
}

Result<> run_go_vet(const GoVetRun &run, const std::string &analyzer, const std::string &base,
                    const ChildLimits &limits, const VetOptions &options, VetReport &report) {
  std::vector<std::string> words = {"go",
                                    "vet",
                                    "-json",
                                    "-vettool=" + analyzer,
                                    fmt::format("-bpfmaplimit.max-bytes={}", options.max_bytes),
                                    fmt::format("-bpfmaplimit.cpus={}", options.cpus)};
  words.insert(words.end(), run.patterns.begin(), run.patterns.end());
  const ChildOutput output = TRY(run_for_output(std::move(words), run.directory, limits));
  ++report.go_runs;
  const std::size_t problems = report.problems.size();
  // Go releases before 1.26 print the JSON on standard error.
  read_go_vet_output(output.error, base, options, report);
  read_go_vet_output(output.out, base, options, report);
  for (std::size_t i = problems; i < report.problems.size(); ++i)
    if (report.problems[i].file.empty())
      report.problems[i].file = run.directory;
  const bool went_well = WIFEXITED(output.status) && WEXITSTATUS(output.status) == 0;
  if (!went_well && report.problems.size() == problems)
    report.problems.push_back({run.directory, fmt::format("go vet ended with status {:#x} and said "
                                                          "nothing",
                                                          output.status)});
  return {};
}

} // namespace mapscope
