// Reads /proc/PID/statm, and the memory controller of every cgroup above the process.
//
// Sources: cgroups(7); Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files";
// Documentation/admin-guide/cgroup-v1/memory.rst; runtime/mgcpacer.go, memoryLimit.
#include "attach/memory_limits.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/handle.h"

namespace mapscope {
namespace {

constexpr std::size_t kFileBytesMax = 64 << 10;
constexpr unsigned kCgroupDepthMax = 64;
// What the first version says where nobody set a limit is the largest number of pages.
constexpr std::uint64_t kNoCgroupLimit = std::uint64_t{1} << 60;

std::optional<std::string> read_file(const std::string &path) {
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return std::nullopt;
  std::string text;
  std::array<char, 4096> block{};
  while (text.size() < kFileBytesMax) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0)
      return std::nullopt;
    if (got == 0)
      break;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{})
    return std::nullopt; // "max" among others
  return number;
}

std::optional<std::uint64_t> read_number(const std::string &path) {
  const auto text = read_file(path);
  return text ? number_in(*text) : std::nullopt;
}

// The number behind `name` in a file of such lines.
std::optional<std::uint64_t> number_behind(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return number_in(line.substr(name.size() + 1));
  }
  return std::nullopt;
}

// The files of one version of the interface.
struct MemoryController {
  std::string directory, path; // where it is mounted; of the process in it, with a slash in front
  const char *usage, *limit, *inactive; // the last one in memory.stat
};

bool has_controller(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(','));
    list.remove_prefix(std::min(one.size() + 1, list.size()));
    if (one == name)
      return true;
  }
  return false;
}

// From /proc/PID/cgroup: "0::/path" is the second version, "5:memory:/path" the first, which has
// the controller where it is mounted.
std::optional<MemoryController> controller_of(std::string_view text, const std::string &root) {
  std::optional<MemoryController> found;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos || line.find("/..") != line.npos) // outside of what is mounted here
      continue;
    const std::string_view list = line.substr(first + 1, second - first - 1);
    const std::string path{line.substr(second + 1)};
    if (has_controller(list, "memory"))
      return MemoryController{root + "/memory", path, "memory.usage_in_bytes",
                              "memory.limit_in_bytes", "total_inactive_file"};
    if (list.empty() && line.starts_with("0:"))
      found = MemoryController{root, path, "memory.current", "memory.max", "inactive_file"};
  }
  return found;
}

struct CgroupMemory {
  std::uint64_t used_bytes = 0, limit_bytes = 0;
  double share() const {
    return static_cast<double>(used_bytes) /
           static_cast<double>(std::max<std::uint64_t>(limit_bytes, 1));
  }
};

// Nothing: no limit there. Used is what the kernel could not just drop: file pages that nobody
// used of late do not count.
std::optional<CgroupMemory> memory_of(const MemoryController &controller, const std::string &path) {
  const std::string directory = controller.directory + path + "/";
  const auto limit = read_number(directory + controller.limit);
  if (!limit || *limit >= kNoCgroupLimit)
    return std::nullopt;
  const auto used = read_number(directory + controller.usage);
  if (!used)
    return std::nullopt;
  const auto details = read_file(directory + "memory.stat");
  const std::uint64_t inactive =
      details ? number_behind(*details, controller.inactive).value_or(0) : 0;
  return CgroupMemory{.used_bytes = *used - std::min(*used, inactive), .limit_bytes = *limit};
}

} // namespace

void MemoryLimitReader::read_cgroups(pid_t pid, MemoryLimits &limits) const {
  const auto text = read_file(fmt::format("{}/{}/cgroup", proc_, pid));
  const auto controller = text ? controller_of(*text, cgroups_) : std::nullopt;
  if (!controller)
    return;
  std::optional<CgroupMemory> tightest;
  std::string path = controller->path == "/" ? std::string{} : controller->path;
  for (unsigned depth = 0; depth < kCgroupDepthMax; ++depth) {
    const auto here = memory_of(*controller, path);
    if (here && (!tightest || here->share() > tightest->share()))
      tightest = here;
    if (path.empty())
      break;
    path.resize(path.rfind('/') == path.npos ? 0 : path.rfind('/'));
  }
  if (tightest) {
    limits.cgroup_bytes = tightest->used_bytes;
    limits.cgroup_limit_bytes = tightest->limit_bytes;
  }
}

Result<MemoryLimits> MemoryLimitReader::read(pid_t pid, const HeapStatistics &heap) const {
  const auto statm = read_file(fmt::format("{}/{}/statm", proc_, pid));
  if (!statm)
    return fail(Errc::gone, "there is no process {}", pid);
  MemoryLimits limits;
  const std::size_t second = statm->find(' '); // pages: all, resident, ...
  if (second != statm->npos)
    limits.resident_bytes = number_in(std::string_view{*statm}.substr(second + 1)).value_or(0) *
                            static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  read_cgroups(pid, limits);
  limits.go_limit_bytes = heap.limit_bytes;
  // What GOMEMLIMIT counts is all that the runtime has mapped, less what it gave back. Stacks and
  // its own tables, a few per cent, are not known here.
  if (limits.go_limit_bytes && heap.in_use_bytes && heap.idle_bytes && heap.released_bytes &&
      *heap.released_bytes <= *heap.idle_bytes)
    limits.go_used_bytes = *heap.in_use_bytes + (*heap.idle_bytes - *heap.released_bytes);
  return limits;
}

double share_of_limit(const MemoryLimits &limits) {
  auto share = [](std::optional<std::uint64_t> used, std::optional<std::uint64_t> limit) {
    return used && limit && *limit > 0 ? static_cast<double>(*used) / static_cast<double>(*limit)
                                       : 0.0;
  };
  return std::max(share(limits.cgroup_bytes, limits.cgroup_limit_bytes),
                  share(limits.go_used_bytes, limits.go_limit_bytes));
}

} // namespace mapscope
