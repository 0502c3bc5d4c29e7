// Parsing of mount tables; see mount_table.h.
#include "kernel/bpf_maps/mount_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace mapscope {
namespace {

constexpr std::size_t kMountsMax = 10'000;
constexpr std::size_t kBpfMountsMax = 256;

// The kernel writes blanks and backslashes as three octal digits (mangle_path in fs/seq_file.c).
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto digit = [&](std::size_t i) {
      return at + i < text.size() && text[at + i] >= '0' && text[at + i] <= '7';
    };
    if (text[at] == '\\' && digit(1) && digit(2) && digit(3)) {
      const int code = (text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0');
      result += static_cast<char>(code & 0xff);
      at += 3;
    } else {
      result += text[at];
    }
  }
  return result;
}

std::string_view take_word(std::string_view &line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
std::optional<MountPoint> parse_line(std::string_view line) {
  take_word(line); // its number
  take_word(line); // that of the mount above
  MountPoint mount{.device = std::string{take_word(line)},
                   .root = unescaped(take_word(line)),
                   .path = unescaped(take_word(line)),
                   .type = {}};
  const std::size_t separator = line.find(" - ");
  if (separator == line.npos)
    return std::nullopt;
  line.remove_prefix(separator + 3);
  mount.type = std::string{take_word(line)};
  if (mount.device.empty() || !mount.path.starts_with('/') || mount.type.empty())
    return std::nullopt;
  return mount;
}

bool is_below(std::string_view path, std::string_view directory) {
  if (directory == "/" || path == directory)
    return true;
  return path.starts_with(directory) && path.substr(directory.size()).starts_with('/');
}

} // namespace

std::vector<MountPoint> parse_mount_table(std::string_view text) {
  std::vector<MountPoint> table;
  while (!text.empty() && table.size() < kMountsMax) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto mount = parse_line(text.substr(0, end)))
      table.push_back(*std::move(mount));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return table;
}

bool is_behind_waiting_mount(const std::vector<MountPoint> &table, std::string_view path,
                             bool with_root) {
  constexpr auto kWaiting = std::to_array<std::string_view>(
      {"fuse", "nfs", "cifs", "smb", "ceph", "afs", "9p", "autofs", "gfs2", "ocfs2", "lustre"});
  return std::ranges::any_of(table, [&](const MountPoint &mount) {
    return (with_root || mount.path != "/") && is_below(path, mount.path) &&
           std::ranges::any_of(kWaiting,
                               [&](std::string_view type) { return mount.type.starts_with(type); });
  });
}

std::vector<MountPoint> bpf_mounts(const std::vector<MountPoint> &table,
                                   const std::vector<MountPoint> &known) {
  std::vector<MountPoint> mounts;
  std::ranges::copy_if(table, std::back_inserter(mounts),
                       [](const MountPoint &mount) { return mount.type == "bpf"; });
  // The whole of a file system before its parts, else in the order of the table.
  std::ranges::stable_sort(mounts, {}, [](const MountPoint &mount) { return mount.root.size(); });
  std::vector<MountPoint> distinct;
  for (MountPoint &mount : mounts) {
    const auto covers = [&](const MountPoint &other) {
      return other.device == mount.device && is_below(mount.root, other.root);
    };
    if (distinct.size() < kBpfMountsMax && std::ranges::none_of(distinct, covers) &&
        std::ranges::none_of(known, covers))
      distinct.push_back(std::move(mount));
  }
  return distinct;
}

} // namespace mapscope
