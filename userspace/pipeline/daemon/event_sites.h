// Gives what moments of watching saw the names of the lines that caused it.
#pragma once

#include <cstdint>
#include <vector>

#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/rule_input.h"
#include "pipeline/daemon/event_rates.h"

namespace mapscope {

// Of which process, and of what time: `cpu_ns` is what it used in `elapsed_ns`.
struct RateSpan {
  LoadBias bias;
  std::uint64_t cpu_ns = 0, elapsed_ns = 0;
};

// The busiest sites first, at most so many. A site that has no line (the stack could not be
// followed out of the runtime) is told with an empty function.
std::vector<SiteRate> name_site_rates(const RateAccount &account, const BinaryFacts &facts,
                                      BinaryNames &names, const RateSpan &span,
                                      std::size_t sites_max = 100);

// Which operations tell of growth, and which of creation.
OperationSet growth_operations();
OperationSet creation_operations();

} // namespace mapscope
