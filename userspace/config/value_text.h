// Durations, sizes and shares as people write them, and back: what is written here reads as the
// same value again.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace mapscope::configuration {

// The value, or what is wrong with the text: "\"10\" has no unit".
template <typename T> using FromText = std::expected<T, std::string>;

// "10s", "1h30m", "500ms", "7d"; "0". From 0 to a hundred years.
FromText<std::chrono::milliseconds> duration_from(std::string_view text);
std::string duration_text(std::chrono::milliseconds duration);

// "64MiB", "1GB", "4096": 1 kB is 1,000 bytes, 1 KiB is 1,024.
FromText<std::uint64_t> size_from(std::string_view text);
std::string size_text(std::uint64_t bytes);

// "30%" or "0.3"; not below 0.
FromText<double> share_from(std::string_view text);
std::string share_text(double share);

// Base 10, all of the text.
FromText<std::uint64_t> count_from(std::string_view text);
FromText<double> number_from(std::string_view text); // finite, not below 0

// "2026-12-24T18:00:00Z" or with an offset such as "+01:00": ns since 1970.
FromText<std::uint64_t> time_from(std::string_view text);
std::string time_text(std::uint64_t wall_ns);

// The text for a message: printable, quoted, and cut where it is long.
std::string in_quotes(std::string_view text);

} // namespace mapscope::configuration
