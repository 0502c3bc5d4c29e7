// Words and numbers that the reports of the kernel's maps share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flow/bpf_map.h"
#include "flow/bpf_rates.h"

namespace mapscope {

std::string_view name_of(BpfMethod method);
std::string_view name_of(BpfMemoryMethod method);

// "1,240", "2.5", "0.04": of anything that happens so often a second.
std::string frequency_text(double per_second);

// "310/s", "~1,240/s (900 to 3,000)", "at least 900/s", "not known".
std::string rate_text(const BpfRateSum &rate);
std::string rate_text(const BpfRate &rate);

// "in about 2 h 3 min (1 h 40 min to 3 h 10 min)"; empty without a figure.
std::string fullness_time_text(const BpfTimeToFull &time);

// "51,200/65,536", "~51,200/65,536", "1.20 KiB/256 KiB", "-/16".
std::string entries_text(const BpfMapFacts &facts, const BpfMapFill &fill);

// What a flag is for, a clause; empty: this build does not know it.
std::string_view words_for_flag(std::string_view flag);

// "flow_table", or that it has none; fit for a terminal.
std::string name_text(const BpfMapFacts &facts);

} // namespace mapscope
