// Why a verdict cannot be `clean`: each loss and each gap as a sentence for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/verdict.h"

namespace mapscope {

// What was lost between the target and the judge. Empty: nothing that a file call inside a
// map operation could hide behind.
std::vector<std::string> loss_reasons(const VerifyCounts &counts);

// Why too little was seen, where no map operation was. Empty: at least one was observed.
std::vector<std::string> coverage_reasons(const OperationTotals &operations,
                                          const VerifyScope &scope);

} // namespace mapscope
