// Mounts, directories and what their files are; see pinned_maps.h.
#include "kernel/bpf_maps/pinned_maps.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <set>
#include <string_view>

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handle.h"
#include "base/printable.h"
#include "base/process_files.h"
#include "kernel/bpf_maps/held_objects.h"
#include "kernel/bpf_maps/mount_table.h"

namespace mapscope {
namespace {

constexpr std::size_t kMountTableBytesMax = 8 << 20;
constexpr std::size_t kProblemsMax = 8;

// What a file of a BPF file system pins; no id where it is nothing that is told, or not for us.
HeldObject pinned_object(const std::string &path) {
  LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = BPF_F_RDONLY);
  Fd object{bpf_obj_get_opts(path.c_str(), &options)};
  if (!object && errno == EINVAL) // links can't be had for reading only
    object = Fd{bpf_obj_get(path.c_str())};
  if (!object)
    return {};
  const std::string own = fmt::format("/proc/self/fdinfo/{}", object.get());
  const Fd info{::open(own.c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, 4096> text;
  const ssize_t size = info ? ::read(info.get(), text.data(), text.size()) : -1;
  return size <= 0 ? HeldObject{}
                   : parse_held_object({text.data(), static_cast<std::size_t>(size)});
}

// One walk over all mounts, within its limits.
class PinLook {
public:
  explicit PinLook(const PinLookLimits &limits)
      : limits_(limits), cpu_start_ns_(now_ns(CLOCK_THREAD_CPUTIME_ID)) {}

  // `root`: of a mount namespace; `shown`: what stands before its paths.
  void look_at_mounts(const Fd &root, const std::string &table_text, const std::string &shown) {
    const std::vector<MountPoint> table = parse_mount_table(table_text);
    const std::vector<MountPoint> mounts = bpf_mounts(table, walked_);
    for (const MountPoint &mount : mounts) {
      if (is_behind_waiting_mount(table, mount.path, !shown.empty())) {
        say(fmt::format("The BPF file system on {} was not looked at: it lies in one that may keep "
                        "its readers waiting.",
                        printable(shown + mount.path)));
        continue;
      }
      look_at_mount(root, mount, shown);
    }
    walked_.insert(walked_.end(), mounts.begin(), mounts.end());
  }

  // Of a namespace that is not to be walked.
  void leave_out_mounts(const std::string &table_text, const std::string &shown) {
    for (const MountPoint &mount : bpf_mounts(parse_mount_table(table_text), walked_))
      say(fmt::format("The BPF file system on {} was not looked at: it lies in a user namespace of "
                      "its own.",
                      printable(shown + mount.path)));
  }

  void say(std::string problem) {
    if (answer_.problems.size() < kProblemsMax)
      answer_.problems.push_back(std::move(problem));
  }

  bool is_spent() const {
    return entries_ >= limits_.entries_max ||
           now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns_ >= limits_.cpu_ns_max;
  }

  PinnedMaps answer() && {
    if (is_cut_)
      say(fmt::format("Not all pins are known: after {} files of BPF file systems, the time for "
                      "them was over, or they lie deeper than {} directories.",
                      entries_, limits_.depth_max));
    return std::move(answer_);
  }

private:
  void look_at_mount(const Fd &root, const MountPoint &mount, const std::string &shown) {
    // What is mounted there may have changed: no symbolic link leads elsewhere, and nothing but a
    // BPF file system is opened.
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT;
    const Fd top{static_cast<int>(
        ::syscall(SYS_openat2, root.get(), mount.path.c_str(), &how, sizeof(how)))};
    struct statfs status{};
    struct stat file{};
    if (!top || ::fstatfs(top.get(), &status) != 0 || status.f_type != BPF_FS_MAGIC ||
        ::fstat(top.get(), &file) != 0)
      return; // unmounted, or under another mount
    look_at_directory(top, ".", shown + mount.path, file.st_dev, 0);
  }

  void look_at_directory(const Fd &above, const char *name, const std::string &path, dev_t device,
                         int depth) {
    const int fd = ::openat(above.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status{};
    const bool is_ours = fd >= 0 && ::fstat(fd, &status) == 0 && status.st_dev == device;
    const Handle<DIR, closedir> directory{is_ours ? ::fdopendir(fd) : nullptr};
    if (!directory) {
      if (fd >= 0)
        ::close(fd);
      return;
    }
    while (const dirent *entry = ::readdir(directory.get())) {
      const std::string_view file{entry->d_name};
      if (file == "." || file == "..")
        continue;
      is_cut_ |= is_spent();
      if (is_cut_)
        return;
      ++entries_;
      const std::string below = (path == "/" ? "" : path) + "/" + std::string{file};
      if (entry->d_type == DT_REG)
        look_at_file(fd, entry->d_name, below);
      else if (entry->d_type == DT_DIR && depth + 1 < limits_.depth_max)
        look_at_directory(Fd{::dup(fd)}, entry->d_name, below, device, depth + 1);
      else
        is_cut_ |= entry->d_type == DT_DIR;
    }
  }

  void look_at_file(int directory, const char *name, const std::string &path) {
    const HeldObject object = pinned_object(fmt::format("/proc/self/fd/{}/{}", directory, name));
    if (object.kind == HeldObjectKind::program && object.id != 0)
      answer_.programs.insert(object.id);
    if (object.kind != HeldObjectKind::map || object.id == 0)
      return;
    PinnedMap pin{.map_id = object.id, .path = printable(path)};
    struct stat status{};
    // The time of the last change, which nobody can set back, as they can that of the contents.
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
      pin.changed_wall_ns = static_cast<std::uint64_t>(status.st_ctim.tv_sec) * 1'000'000'000U +
                            static_cast<std::uint64_t>(status.st_ctim.tv_nsec);
    answer_.pins.push_back(std::move(pin));
  }

  PinLookLimits limits_;
  std::uint64_t cpu_start_ns_;
  std::uint64_t entries_ = 0;
  bool is_cut_ = false;
  std::vector<MountPoint> walked_;
  PinnedMaps answer_;
};

// Tells namespaces apart; 0: not for us to see, or the process has ended.
std::uint64_t namespace_of(std::string_view process, std::string_view kind) {
  struct stat status{};
  const std::string path = fmt::format("/proc/{}/ns/{}", process, kind);
  errno = 0;
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

struct ForeignNamespace {
  pid_t pid = 0; // of one process in it
  // Whoever has a user namespace of their own mounts what they like, and could keep us waiting.
  bool is_trusted = false;
};

struct ForeignNamespaces {
  std::vector<ForeignNamespace> namespaces;
  bool is_complete = true;
};

ForeignNamespaces other_mount_namespaces(std::size_t namespaces_max) {
  ForeignNamespaces answer;
  const Handle<DIR, closedir> all{::opendir("/proc")};
  std::set<std::uint64_t> seen{namespace_of("self", "mnt")};
  const std::uint64_t own_users = namespace_of("self", "user");
  while (const dirent *entry = all ? ::readdir(all.get()) : nullptr) {
    const std::string_view name{entry->d_name};
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size())
      continue;
    const std::uint64_t mounts = namespace_of(name, "mnt");
    if (mounts == 0)
      answer.is_complete &= errno != EACCES && errno != EPERM;
    else if (seen.insert(mounts).second && answer.namespaces.size() < namespaces_max)
      answer.namespaces.push_back({pid, namespace_of(name, "user") == own_users});
  }
  answer.is_complete &= seen.size() <= namespaces_max;
  return answer;
}

} // namespace

PinnedMaps find_pinned_maps(const PinLookLimits &limits) {
  PinLook look{limits};
  const Fd own_root{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (auto table = read_process_file(::getpid(), "mountinfo", kMountTableBytesMax))
    look.look_at_mounts(own_root, *table, "");
  const ForeignNamespaces others = other_mount_namespaces(limits.namespaces_max);
  for (const auto &[pid, is_trusted] : others.namespaces) {
    const std::string shown = fmt::format("/proc/{}/root", pid);
    auto table = read_process_file(pid, "mountinfo", kMountTableBytesMax);
    const Fd root{is_trusted ? ::open(shown.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1};
    if (table && root)
      look.look_at_mounts(root, *table, shown);
    else if (table && !is_trusted)
      look.leave_out_mounts(*table, shown);
  }
  if (!others.is_complete)
    look.say("Not all pins in other mount namespaces are known: there are too many of them, or "
             "looking at them takes CAP_SYS_PTRACE.");
  return std::move(look).answer();
}

} // namespace mapscope
