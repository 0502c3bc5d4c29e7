// The words that all rules share: who a process, a map and a line are, short enough for a pager.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "flow/process_identity.h"
#include "flow/rule_input.h"
#include "flow/source.h"

namespace mapscope {

// Cut in its middle, at characters.
std::string shortened(std::string_view text, std::size_t length_max);

std::string process_text(const ProcessIdentity &process); // "prometheus (pid 12)"; "kernel"
std::string line_text(const SourceFrame &site);           // "cache.go:12 (main.fill)"; may be empty
std::string address_text(ProcessAddress address);
// "map[string]int of main.cache (cache.go:12)"
std::string map_text(const SampledMap &map);
// "main.cache (map[string]int) 1.20 GiB, ...": the largest `count` of what has the same owner.
std::string largest_maps_text(const CensusSample &sample, std::size_t count);

std::string bytes_text(double bytes);             // never below 0
std::string count_text(double count);             // rounded
std::string percent_text(double share);           // "12 %"; below 10 with a digit more
std::string span_text(std::uint64_t duration_ns); // "5 min", without a rest of 0 s

} // namespace mapscope
