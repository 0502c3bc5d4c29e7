// Numbers as people read them. JSON and metrics carry plain numbers instead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mapscope {

// Binary units, three significant digits: "0 B", "1023 B", "1.50 KiB", "72.0 MiB", "512 GiB".
std::string format_bytes(std::uint64_t bytes);

// A comma for each thousand: "1,048,576".
std::string format_count(std::uint64_t count);

// Three significant digits, in the largest unit that fits: "850 ns", "12.3 us", "41.0 ms",
// "1.20 s"; from a minute on "2 min 5 s", from an hour on "3 h 12 min".
std::string format_duration(std::uint64_t duration_ns);

// format_counted(1, "call") is "1 call", format_counted(1200, "call") is "1,200 calls".
std::string format_counted(std::uint64_t count, std::string_view noun);

} // namespace mapscope
