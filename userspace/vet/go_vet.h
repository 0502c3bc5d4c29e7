// Go packages, judged by the analyzers of mapscope-vet, which `go vet` drives.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "vet/child_output.h"
#include "vet/vet_options.h"
#include "vet/vet_report.h"

namespace mapscope {

// One call of `go vet`.
struct GoVetRun {
  std::string directory;             // within the module
  std::vector<std::string> patterns; // "./...", or files of one package
};

// The analyzer: `wanted` if it is not empty; else beside our executable, where it is installed or
// built; else in PATH. Errors: not_found, with all that was tried.
Result<std::string> find_go_analyzer(const std::string &wanted);

// Findings and problems go into the report; files are told relative to `base`. Errors: not_found
// (no Go), system.
Result<> run_go_vet(const GoVetRun &run, const std::string &analyzer, const std::string &base,
                    const ChildLimits &limits, const VetOptions &options, VetReport &report);

} // namespace mapscope
