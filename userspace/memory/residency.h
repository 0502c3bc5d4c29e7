// Which pages of a process are in memory or in swap: by the PAGEMAP_SCAN call where the kernel has
// it (6.7 on), else by reading /proc/PID/pagemap.
//
// The shared page of zeros does not count. A process gets it where memory was read and never
// written, which also a look from outside does; it costs nothing but an entry of a page table.
// (Kernels without commit "fix PAGE_IS_PFNZERO detection for the huge zero folio" of 6.16 do not
// know the huge one from memory.)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/address_space.h"

namespace mapscope {

// `pagemap`: /proc/PID/pagemap, open for reading. `ranges` in the order of addresses; what is no
// whole page of them is told as one. Errors: gone (or no runs: by entries the kernel does not say
// it), denied, system.
Result<std::vector<PageRun>> read_residency(const Fd &pagemap,
                                            std::span<const ProcessRange> ranges);

// The same by each of the two ways. Entries do not tell huge pages, and what tells the page of
// zeros there is that it is anonymous and not the process's own alone: so pages that a process
// shares with its fork are taken for it. Errors of the first: also unsupported, where the kernel
// does not have the call.
Result<std::vector<PageRun>> scan_residency(const Fd &pagemap,
                                            std::span<const ProcessRange> ranges);
Result<std::vector<PageRun>> read_residency_entries(const Fd &pagemap,
                                                    std::span<const ProcessRange> ranges);

// The pages that ranges (in the order of addresses) lie in, apart from each other.
std::vector<ProcessRange> whole_pages(std::span<const ProcessRange> ranges,
                                      std::uint64_t page_bytes);

// Makes the last run longer where that is possible.
void append_run(std::vector<PageRun> &runs, const PageRun &run);

} // namespace mapscope
