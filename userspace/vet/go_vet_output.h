// What `go vet -json` prints, as findings.
#pragma once

#include <string_view>

#include "vet/vet_options.h"
#include "vet/vet_report.h"

namespace mapscope {

// `text`: lines "# package" and JSON objects, one after the other: package -> analyzer -> list of
// diagnostics, or {"error": ...}. Files below `directory` are told relative to it. What is neither
// is a problem, as are packages that could not be analysed.
void read_go_vet_output(std::string_view text, std::string_view directory,
                        const VetOptions &options, VetReport &report);

} // namespace mapscope
