// What the arguments of `mapscope vet` name: BPF objects, and Go packages.
#pragma once

#include <string>
#include <vector>

#include "vet/go_vet.h"
#include "vet/vet_report.h"

namespace mapscope {

struct VetInputs {
  std::vector<std::string> objects;
  std::vector<GoVetRun> go_runs;
};

// Files are taken as they are; directories with all BPF objects and Go modules below them; "..."
// as the go command takes it. What names nothing becomes a problem.
VetInputs find_vet_inputs(const std::vector<std::string> &arguments, VetReport &report);

// The whole file. Errors: not_found, denied, system; unsupported (no regular file, or larger than
// any BPF object).
Result<std::vector<std::byte>> read_vet_file(const std::string &path);

} // namespace mapscope
