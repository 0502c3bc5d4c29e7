// Hex, numbers, cut lines; see map_data_text.h.
#include "kernel/bpf_maps/map_data_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "base/printable.h"

namespace mapscope {
namespace {

bool is_ascii(std::byte byte) { return byte >= std::byte{0x20} && byte < std::byte{0x7f}; }

} // namespace

std::string cut_map_text(std::string_view text) {
  std::string clean = printable(text.substr(0, 4 * kMapDataTextMax));
  if (clean.size() <= kMapDataTextMax && text.size() <= 4 * kMapDataTextMax)
    return clean;
  std::size_t end = std::min(clean.size(), kMapDataTextMax - 3);
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xc0) == 0x80)
    --end; // not within a character
  return clean.substr(0, end) + "...";
}

std::string map_bytes_text(std::span<const std::byte> bytes) {
  if (bytes.size() == sizeof(std::uint32_t)) {
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof(number));
    return fmt::format("{:#010x} ({})", number, number);
  }
  if (bytes.size() == sizeof(std::uint64_t)) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof(number));
    return fmt::format("{:#018x} ({})", number, number);
  }
  // Each takes two digits, a blank and a letter.
  const auto shown = bytes.first(std::min(bytes.size(), (kMapDataTextMax - 8) / 4));
  std::string hex, letters;
  for (const std::byte byte : shown) {
    hex += fmt::format("{:02x} ", std::to_integer<unsigned>(byte));
    const bool is_shown = is_ascii(byte) && byte != std::byte{'"'};
    letters += is_shown ? std::to_integer<char>(byte) : '.';
  }
  return fmt::format("{}{}\"{}\"", hex, shown.size() < bytes.size() ? "... " : "", letters);
}

} // namespace mapscope
