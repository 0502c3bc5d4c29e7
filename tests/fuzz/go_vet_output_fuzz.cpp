// Any text as what `go vet` printed: findings and problems come of it, which can be printed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/fuzz_target.h"
#include "vet/go_vet_output.h"
#include "vet/vet_text.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(go_vet_output_fuzz, data, size_bytes) {
  VetReport report;
  read_go_vet_output({reinterpret_cast<const char *>(data), size_bytes}, "/d", {}, report);
  order_findings(report);
  vet_text(report.findings, true);
  vet_json(report);
  vet_sarif(report, "/d");
  return 0;
}
