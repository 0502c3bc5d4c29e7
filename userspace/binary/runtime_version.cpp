// Searching writable data for string headers that lead to a version of Go.
#include "binary/runtime_version.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mapscope {
namespace {

constexpr std::uint64_t kTextBytesMin = kRuntimeVersionBegin.size() + 2;
constexpr std::uint64_t kTextBytesMax =
    128; // longer ones name a dozen experiments, or are no version

// "go1.26.8", "go1.25.14 X:noswissmap"; only "go1.26" itself may be what many programs write of the
// language, and no release since 1.21 is named so.
bool names_a_release(std::string_view text) {
  if (!text.starts_with(kRuntimeVersionBegin) ||
      std::ranges::count(text.substr(0, text.find_first_of(" -")), '.') != 2)
    return false;
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<std::string_view> text_at(const ElfFile &elf, ElfAddress header,
                                        std::uint64_t length) {
  const auto data = elf.read_pointer(header);
  if (!data)
    return std::nullopt;
  const auto bytes = elf.raw({ElfAddress{*data}, length});
  if (!bytes)
    return std::nullopt;
  const std::string_view text{reinterpret_cast<const char *>(bytes->data()), bytes->size()};
  return names_a_release(text) ? std::optional{text} : std::nullopt;
}

} // namespace

std::optional<std::string> find_runtime_version(const ElfFile &elf) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::optional<std::string> found;
  for (const ElfSegment &segment : elf.segments()) {
    if (!segment.is_writable)
      continue;
    for (std::size_t at = 0; segment.bytes.size() - at >= 2 * kWord; at += kWord) {
      std::uint64_t length;
      std::memcpy(&length, segment.bytes.data() + at + kWord, kWord);
      if (length < kTextBytesMin || length > kTextBytesMax)
        continue;
      const auto text = text_at(elf, {segment.range.start.value + at}, length);
      if (!text || found == *text)
        continue;
      if (found)
        return std::nullopt;
      found = *text;
    }
  }
  return found;
}

} // namespace mapscope
