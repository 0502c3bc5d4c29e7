// The block above the table of maps: the process, its heap, all its maps, and what was not seen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/maps_report.h"

namespace mapscope {

void append_summary(const MapsReport &report, bool colour, std::string &out);

// "/usr/bin/prometheus (pid 4711), go1.26.8, swiss maps", or what of it is known.
std::string process_text(const MapsReport &report);

// Read from a process that runs, not from a file.
bool is_live(const MapsReport &report);

// Sentences: what of the process was not looked into, or would not hold still.
std::vector<std::string> census_gaps(const CensusCounts &counts);

// A label in a column of its own, and text wrapped beside it.
void append_labelled(std::string_view label, std::string_view text, bool colour, std::string &out);

} // namespace mapscope
