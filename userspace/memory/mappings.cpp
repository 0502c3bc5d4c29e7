// START-END rwxp OFFSET MAJOR:MINOR INODE      NAME
#include "memory/mappings.h"

#include <charconv>
#include <cstdint>

#include <sys/sysmacros.h>

namespace mapscope {
namespace {

// Takes fields off the front of a line; a failure stays.
class Line {
public:
  explicit Line(std::string_view text) : rest_(text) {}

  std::uint64_t number(int base, char terminator) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    const auto length = static_cast<std::size_t>(end - rest_.data());
    if (error != std::errc{} || length == rest_.size() || rest_[length] != terminator)
      is_sound_ = false;
    rest_.remove_prefix(is_sound_ ? length + 1 : rest_.size());
    return value;
  }

  std::string_view letters(std::size_t count) {
    if (rest_.size() <= count || rest_[count] != ' ')
      is_sound_ = false;
    const auto taken = rest_.substr(0, is_sound_ ? count : 0);
    rest_.remove_prefix(is_sound_ ? count + 1 : rest_.size());
    return taken;
  }

  std::string_view padded_rest() const {
    const auto start = rest_.find_first_not_of(' ');
    return start == rest_.npos ? std::string_view{} : rest_.substr(start);
  }

  bool is_sound() const { return is_sound_; }

private:
  std::string_view rest_;
  bool is_sound_ = true;
};

} // namespace

Result<std::vector<Mapping>> parse_mappings(std::string_view text) {
  std::vector<Mapping> mappings;
  while (!text.empty()) {
    const auto end = text.find('\n');
    Line line{text.substr(0, end)};
    text.remove_prefix(end == text.npos ? text.size() : end + 1);

    const std::uint64_t start = line.number(16, '-');
    const std::uint64_t stop = line.number(16, ' ');
    const std::string_view access = line.letters(4);
    const std::uint64_t offset = line.number(16, ' ');
    const std::uint64_t major = line.number(16, ':');
    const std::uint64_t minor = line.number(16, ' ');
    const std::uint64_t inode = line.number(10, ' ');
    if (!line.is_sound() || start >= stop)
      return fail(Errc::malformed, "line {} of the mappings is none", mappings.size() + 1);
    mappings.push_back(
        {.start = {start},
         .size_bytes = stop - start,
         .is_readable = access[0] == 'r',
         .is_writable = access[1] == 'w',
         .is_executable = access[2] == 'x',
         .file_offset = offset,
         .device = makedev(static_cast<unsigned>(major), static_cast<unsigned>(minor)),
         .inode = inode,
         .name = std::string{line.padded_rest()}});
  }
  return mappings;
}

Result<LoadBias> load_bias_of(std::span<const Mapping> mappings, std::string_view exe,
                              const BinaryFacts &facts) {
  for (const Mapping &mapping : mappings) {
    const std::uint64_t distance = facts.entry_offset.value - mapping.file_offset;
    if (mapping.name == exe && mapping.is_executable && distance < mapping.size_bytes)
      return LoadBias{mapping.start.value + distance - facts.entry.value};
  }
  return fail(Errc::not_found, "no mapping of {} has its entry point", exe);
}

} // namespace mapscope
