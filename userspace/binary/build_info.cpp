// Reading of .go.buildinfo and of version strings.
#include "binary/build_info.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <elf.h>

#include "binary/runtime_version.h"

namespace mapscope {
namespace {

constexpr std::string_view kMagic = "\xff Go buildinf:";
constexpr std::size_t kMagicAlignment = 16;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::uint8_t kFlagBigEndian = 1;
constexpr std::uint8_t kFlagInline = 2; // strings follow the header (1.18 on)
// The longest module list seen has some 60 KB.
constexpr std::uint64_t kTextBytesMax = 16 << 20;
// With every experiment that ever was, a version has some 600 bytes.
constexpr std::size_t kVersionBytesMax = 1024;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

// Takes a number and what it is followed by off the front; absent: no digit there.
std::optional<unsigned> take_number(std::string_view &text) {
  unsigned number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// What follows the two numbers of "go1.26" decides how much they say.
void parse_release(std::string_view text, ToolchainVersion &result) {
  constexpr std::string_view kDevelopment = "devel ";
  const bool is_development = text.starts_with(kDevelopment);
  if (is_development)
    text.remove_prefix(kDevelopment.size());
  if (!text.starts_with("go"))
    return;
  text.remove_prefix(2);
  auto major = take_number(text);
  if (!major || !text.starts_with('.'))
    return;
  text.remove_prefix(1);
  auto minor = take_number(text);
  if (!minor)
    return;
  result.version = {*major, *minor, 0};
  // "go1.27-devel_ca37d24e0b", "go1.27-20260101-RC00": of one day, and of no release
  result.nearness =
      is_development || text.starts_with('-') ? Nearness::development : Nearness::variant;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    auto patch = take_number(text);
    result.version.patch = patch.value_or(0);
    if (!patch)
      return;
  }
  if (text.empty() && result.nearness == Nearness::variant)
    result.nearness = Nearness::release;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    auto end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Where the header is: at the front of its section, or, without section headers, somewhere in
// writable data, on a multiple of 16.
Result<ElfAddress> find_header(const ElfFile &elf) {
  if (const ElfSection *section = elf.find_section(".go.buildinfo"))
    if (as_text(section->bytes).starts_with(kMagic))
      return section->range.start;
  for (const ElfSegment &segment : elf.segments()) {
    if (!segment.is_writable)
      continue;
    auto text = as_text(segment.bytes);
    for (auto at = text.find(kMagic); at != text.npos; at = text.find(kMagic, at + 1))
      if ((segment.range.start.value + at) % kMagicAlignment == 0)
        return ElfAddress{segment.range.start.value + at};
  }
  return fail(Errc::not_found, "it has no Go build information: not a Go program (or one made "
                               "smaller by a packer such as UPX; unpack it first)");
}

// A length as a variable-length integer, and that many bytes.
Result<std::string_view> take_inline_string(ByteReader &reader) {
  auto length = TRY(reader.read_uvarint());
  auto text = TRY(reader.window(0, length));
  reader = TRY(reader.from(length));
  return as_text(text.bytes());
}

// A Go string header {pointer, length} at `address`, copied.
Result<std::string> read_go_string(const ElfFile &elf, ElfAddress address) {
  ElfAddress data{TRY(elf.read_pointer(address))};
  auto length = TRY(elf.read_pointer({address.value + sizeof(std::uint64_t)}));
  if (length == 0)
    return std::string{};
  if (length > kTextBytesMax)
    return fail(Errc::malformed, "a string of {} bytes", length);
  return std::string{as_text(TRY(elf.raw({data, length})))};
}

// The two texts: version, and module information (empty in programs built without modules).
struct BuildTexts {
  std::string version;
  std::string modules;
};

Result<BuildTexts> read_texts(const ElfFile &elf, ElfAddress at) {
  ByteReader bytes{TRY(elf.raw_from(at))};
  auto pointer_size = TRY(bytes.read_at<std::uint8_t>(14));
  auto flags = TRY(bytes.read_at<std::uint8_t>(15));
  if ((flags & kFlagInline) != 0) {
    ByteReader strings = TRY(bytes.from(kHeaderBytes));
    std::string version{TRY_WHILE(take_inline_string(strings), "version")};
    std::string modules{TRY_WHILE(take_inline_string(strings), "module information")};
    return BuildTexts{std::move(version), std::move(modules)};
  }
  if (pointer_size != sizeof(std::uint64_t) || (flags & kFlagBigEndian) != 0)
    return fail(Errc::malformed, "pointers of {} bytes, flags {:#x}", pointer_size, flags);
  ElfAddress version{TRY(elf.read_pointer({at.value + 16}))};
  ElfAddress modules{TRY(elf.read_pointer({at.value + 24}))};
  return BuildTexts{TRY_WHILE(read_go_string(elf, version), "version"),
                    TRY_WHILE(read_go_string(elf, modules), "module information")};
}

// cmd/go quotes what has spaces in it, as strconv.Quote does; the escapes that matter here
// are those of the quote and of the backslash.
std::string unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != text.back() ||
      (text.front() != '"' && text.front() != '`'))
    return std::string{text};
  const bool has_escapes = text.front() == '"';
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (has_escapes && text[i] == '\\' && i + 1 < text.size())
      ++i;
    plain += text[i];
  }
  return plain;
}

// Lines of tab-separated fields, framed by 16 bytes on both ends.
// Go source: runtime/debug/mod.go ParseBuildInfo, cmd/go/internal/modload/build.go infoStart.
void parse_modules(std::string_view text, BuildInfo &info) {
  constexpr std::size_t kFrameBytes = 16;
  if (text.size() < 2 * kFrameBytes)
    return;
  text = text.substr(kFrameBytes, text.size() - 2 * kFrameBytes);
  for (const std::string &line : split(text, '\n')) {
    const auto fields = split(line, '\t');
    if (fields.size() < 2)
      continue;
    if (fields[0] == "mod" || (fields[0] == "path" && info.main_module.empty()))
      info.main_module = fields[1];
    else if (fields[0] == "build")
      if (auto equals = fields[1].find('='); equals != std::string::npos)
        info.settings[unquote(std::string_view{fields[1]}.substr(0, equals))] =
            unquote(std::string_view{fields[1]}.substr(equals + 1));
  }
}

} // namespace

ToolchainVersion parse_toolchain_version(std::string_view text) {
  ToolchainVersion result;
  for (std::string_view separator : {" X:", "-X:"})
    if (auto at = text.find(separator); at != text.npos) {
      auto list = text.substr(at + separator.size());
      result.experiments = split(list.substr(0, list.find(' ')), ',');
      text = text.substr(0, at);
    }
  result.text = text;
  parse_release(text, result);
  return result;
}

Result<BuildInfo> read_build_info(const ElfFile &elf) {
  const auto header = find_header(elf);
  if (!header) {
    const auto version = find_runtime_version(elf);
    if (!version)
      return std::unexpected(header.error());
    BuildInfo bare;
    bare.toolchain = parse_toolchain_version(*version);
    bare.was_removed = true;
    return bare;
  }
  auto texts = TRY_WHILE(read_texts(elf, *header), "Go build information at {:#x}", header->value);
  if (texts.version.empty())
    return fail(Errc::malformed, "its Go build information names no Go version");
  if (texts.version.size() > kVersionBytesMax)
    return fail(Errc::malformed, "its Go build information has a Go version of {} bytes",
                texts.version.size());
  BuildInfo info;
  info.toolchain = parse_toolchain_version(texts.version);
  parse_modules(texts.modules, info);
  return info;
}

} // namespace mapscope
