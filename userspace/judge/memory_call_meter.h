// How many bytes memory calls were about, once their results are known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "flow/attributed_event.h"
#include "flow/process.h"

namespace mapscope {

class MemoryCallMeter {
public:
  // Takes calls in the order of completion. Absent: no memory call, one whose arguments do not
  // say, or one whose outcome is not known. A call that failed has 0; for brk it is how far the
  // break moved up.
  std::optional<std::uint64_t> measure(const AttributedCall &call);

private:
  std::map<ProcessKey, std::uint64_t> program_break_; // where brk last said it is
};

} // namespace mapscope
