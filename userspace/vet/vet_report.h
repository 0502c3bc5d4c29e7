// All that one run of `mapscope vet` found, and what it could not look at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/vet_finding.h"

namespace mapscope {

struct VetProblem {
  std::string file; // or package; empty: of the whole run
  std::string message;
};

struct VetReport {
  std::vector<VetFinding> findings; // by file, line, column
  std::vector<VetProblem> problems; // what was not judged, or not wholly
  std::uint64_t objects = 0, maps = 0;
  // Found in directories, and left out: compilers for both byte orders leave such a twin.
  std::uint64_t big_endian = 0;
  std::uint64_t go_runs = 0; // directories in which `go vet` ran
};

// Sorts the findings and drops those that are there twice: Go judges a package once more with its
// tests.
void order_findings(VetReport &report);

// mapscope.vet/1, see docs/json.md.
std::string vet_json(const VetReport &report);

// SARIF 2.1.0 (OASIS), as code-scanning services take it. `directory`: what files are relative to.
std::string vet_sarif(const VetReport &report, const std::string &directory);

} // namespace mapscope
