// Any file as a BPF object: it is refused with a sentence, or its maps are judged, and what is said
// of them can be printed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "binary/bpf_object.h"
#include "fuzz/fuzz_target.h"
#include "vet/bpf_rules.h"
#include "vet/vet_report.h"
#include "vet/vet_rules.h"
#include "vet/vet_text.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    __builtin_trap();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(bpf_object_fuzz, data, size_bytes) {
  const std::span bytes{reinterpret_cast<const std::byte *>(data), size_bytes};
  const auto facts = read_bpf_object(bytes, "o");
  if (!facts) {
    require(!facts.error().message().empty());
    return 0;
  }
  require(looks_like_bpf_object(bytes));
  VetReport report{.findings = vet_bpf_object(*facts, {})};
  for (const VetFinding &finding : report.findings)
    require(find_vet_rule(finding.rule) != nullptr && !finding.message.empty());
  order_findings(report);
  require(vet_text(report.findings, false).empty() == report.findings.empty());
  require(!vet_json(report).empty() && !vet_sarif(report, "/").empty());
  return 0;
}
