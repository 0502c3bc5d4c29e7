// Bytes of keys and values as one line of text, without the kernel's help.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mapscope {

inline constexpr std::size_t kMapDataTextMax = 256;

// `0x0000002a (42)` of 4 or 8 bytes, which most likely are a number; else `6d 61 70 00 "map."`.
std::string map_bytes_text(std::span<const std::byte> bytes);

// Fit for a terminal and for JSON, and no longer than kMapDataTextMax.
std::string cut_map_text(std::string_view text);

} // namespace mapscope
