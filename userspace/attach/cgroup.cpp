// Reading the names that container runtimes, Kubernetes and systemd give to cgroups; see cgroup.h.
#include "attach/cgroup.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/printable.h"

namespace mapscope {
namespace {

constexpr std::size_t kLinesMax = 64;       // one for each hierarchy; there are some twelve
constexpr std::size_t kPathBytesMax = 4096; // PATH_MAX
constexpr std::size_t kContainerIdBytes = 64;
constexpr std::string_view kDeleted = " (deleted)"; // the cgroup is gone, its last process is not

// The paths that matter, where they are.
struct CgroupPaths {
  std::optional<std::string_view> unified, memory, systemd;
};

std::string_view take_until(std::string_view &text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

bool has_item(std::string_view list, std::string_view wanted) {
  while (!list.empty())
    if (take_until(list, ',') == wanted)
      return true;
  return false;
}

// "4:memory:/docker/..."; the unified hierarchy is "0::/...".
CgroupPaths paths_in(std::string_view text) {
  CgroupPaths paths;
  for (std::size_t lines = 0; lines < kLinesMax && !text.empty(); ++lines) {
    std::string_view path = take_until(text, '\n');
    const std::string_view number = take_until(path, ':');
    const std::string_view controllers = take_until(path, ':');
    if (!path.starts_with('/'))
      continue;
    if (path.ends_with(kDeleted))
      path.remove_suffix(kDeleted.size());
    path = path.substr(0, kPathBytesMax);
    if (number == "0" && controllers.empty())
      paths.unified = path;
    else if (has_item(controllers, "memory"))
      paths.memory = path;
    else if (has_item(controllers, "name=systemd"))
      paths.systemd = path;
  }
  return paths;
}

// The names on a path, the innermost first. A reader in a cgroup namespace of its own sees paths
// that lead out of it by "..".
std::vector<std::string_view> names_on(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty())
    if (auto name = take_until(path, '/'); !name.empty() && name != "." && name != "..")
      names.push_back(name);
  std::ranges::reverse(names);
  return names;
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// "docker-ID.scope", "cri-containerd-ID.scope", "libpod-payload-ID", "ID" or, with ':' as a
// separator, "kubepods-podUID.slice:cri-containerd:ID". conmon only watches over a container.
std::string_view container_in(std::string_view name) {
  if (name.find("conmon-") != name.npos)
    return {};
  if (name.ends_with(".scope"))
    name.remove_suffix(6);
  if (name.size() < kContainerIdBytes)
    return {};
  const auto id = name.substr(name.size() - kContainerIdBytes);
  const auto before = name.substr(0, name.size() - kContainerIdBytes);
  const bool stands_alone = before.empty() || before.ends_with('-') || before.ends_with(':');
  return stands_alone && is_hex(id) ? id : std::string_view{};
}

// "pod0f2c...-..." of the cgroupfs driver, "kubepods-burstable-pod0f2c..._....slice" of the systemd
// driver. Pods that the kubelet reads from files have 32 digits without dashes.
std::string pod_in(std::string_view name) {
  constexpr std::size_t kUidBytes = 36, kDigestBytes = 32;
  name = name.substr(0, name.find(':'));
  if (name.ends_with(".slice"))
    name.remove_suffix(6);
  for (const std::size_t bytes : {kUidBytes, kDigestBytes}) {
    if (name.size() < bytes)
      continue;
    const auto before = name.substr(0, name.size() - bytes);
    std::string uid{name.substr(name.size() - bytes)};
    std::ranges::replace(uid, '_', '-');
    std::string digits = uid;
    std::erase(digits, '-');
    const bool has_shape = bytes == kDigestBytes
                               ? digits.size() == kDigestBytes
                               : digits.size() == kDigestBytes && uid[8] == '-' && uid[13] == '-' &&
                                     uid[18] == '-' && uid[23] == '-';
    if ((before == "pod" || before.ends_with("-pod")) && has_shape && is_hex(digits))
      return uid;
  }
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// systemd writes "\x2d" for a '-' that is no separator, and puts a '_' in front of names that the
// kernel has a use for. systemd source: src/basic/unit-name.c, src/basic/cgroup-util.c, cg_escape.
std::string unescape(std::string_view name) {
  if (name.starts_with('_'))
    name.remove_prefix(1);
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\' && i + 3 < name.size() && name[i + 1] == 'x') {
      const int high = hex_digit(name[i + 2]), low = hex_digit(name[i + 3]);
      if (high >= 0 && low >= 0) {
        plain += static_cast<char>(high * 16 + low);
        i += 3;
        continue;
      }
    }
    plain += name[i];
  }
  return printable(plain);
}

// The innermost service or scope; not the scope that is a container, which has its id.
std::string unit_on(std::string_view path) {
  for (const std::string_view name : names_on(path))
    if ((name.ends_with(".service") || name.ends_with(".scope")) && container_in(name).empty())
      return unescape(name);
  return {};
}

void find_container(std::string_view path, CgroupIdentity &identity) {
  for (const std::string_view name : names_on(path)) {
    if (identity.container_id.empty())
      identity.container_id = container_in(name);
    if (identity.pod_uid.empty())
      identity.pod_uid = pod_in(name);
  }
}

} // namespace

CgroupIdentity cgroup_identity(std::string_view text) {
  const CgroupPaths paths = paths_in(text);
  CgroupIdentity identity;
  // Where both versions are in use, older runtimes make containers in the first one only.
  identity.path = printable(paths.memory.value_or(paths.unified.value_or("")));
  for (const auto &path : {paths.memory, paths.unified, paths.systemd})
    if (path && identity.container_id.empty() && identity.pod_uid.empty())
      find_container(*path, identity);
  for (const auto &path : {paths.systemd, paths.unified, paths.memory})
    if (path && identity.unit.empty())
      identity.unit = unit_on(*path);
  return identity;
}

} // namespace mapscope
