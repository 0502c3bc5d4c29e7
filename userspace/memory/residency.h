// Which pages of a process are in memory or in swap: by the PAGEMAP_SCAN call where the kernel has
// it (6.7 on), else by reading /proc/PID/pagemap.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/address_space.h"

namespace mapscope {

// `pagemap`: /proc/PID/pagemap, open for reading. Errors: gone, denied, system.
Result<std::vector<PageRun>> read_residency(const Fd &pagemap,
                                            std::span<const ProcessRange> ranges);

} // namespace mapscope
