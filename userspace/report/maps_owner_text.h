// What the text of `maps` says about owners and sites beside its table.
#pragma once

#include <string>

#include "report/maps_report.h"

namespace mapscope {

// Rows of the summary: how many maps are garbage.
void append_reach(const MapsReport &report, bool colour, std::string &out);

// What the look for owners and sites cost and did not reach, or how to have it. Behind the table.
void append_owner_footer(const MapsReport &report, bool colour, std::string &out);

// Sections of --explain: the path step by step; the lines that made the map, and that write to it.
void append_owner_section(const MapExplanation &map, bool colour, bool unicode, std::string &out);
void append_site_section(const JudgedMap &map, bool colour, std::string &out);

} // namespace mapscope
