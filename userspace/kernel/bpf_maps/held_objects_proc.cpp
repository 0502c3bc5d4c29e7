// The same through /proc, for kernels that refuse the iterator; see held_objects.h.
#include <algorithm>
#include <array>
#include <charconv>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handle.h"
#include "kernel/bpf_maps/descriptor_fields.h"
#include "kernel/bpf_maps/held_objects.h"

namespace mapscope {
namespace {

using Directory = Handle<DIR, closedir>;

Directory open_directory(int at, const char *name) {
  const int fd = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Directory directory{fd < 0 ? nullptr : ::fdopendir(fd)};
  if (!directory && fd >= 0)
    ::close(fd);
  return directory;
}

// What is looked at of all processes together.
class ProcLook {
public:
  explicit ProcLook(const ProcLookLimits &limits)
      : limits_(limits), cpu_start_ns_(now_ns(CLOCK_THREAD_CPUTIME_ID)) {}

  bool is_spent() const {
    return descriptors_ >= limits_.descriptors_max ||
           now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start_ns_ >= limits_.cpu_ns_max;
  }

  void look_at(std::uint32_t pid) {
    const std::string path = fmt::format("/proc/{}", pid);
    const Fd process{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    const Directory files = process ? open_directory(process.get(), "fd") : nullptr;
    if (!files) {
      denied_ += errno == EACCES || errno == EPERM ? 1 : 0;
      return;
    }
    while (const dirent *file = ::readdir(files.get())) {
      if (file->d_name[0] == '.')
        continue;
      ++descriptors_;
      look_at(pid, process, ::dirfd(files.get()), file->d_name);
    }
  }

  HeldObjects answer(bool has_seen_all) && {
    std::ranges::sort(held_.objects);
    const auto doubles = std::ranges::unique(held_.objects);
    held_.objects.erase(doubles.begin(), doubles.end());
    held_.is_complete = has_seen_all && denied_ == 0 && !has_perf_events_;
    if (!has_seen_all)
      held_.problem = fmt::format("Not all processes were asked what BPF they hold: {} descriptors "
                                  "were looked at, and that is all the time there is.",
                                  descriptors_);
    else if (denied_ > 0)
      held_.problem = fmt::format("What BPF {} processes hold is not known: looking at their "
                                  "descriptors takes CAP_SYS_PTRACE.",
                                  denied_);
    return std::move(held_);
  }

private:
  void look_at(std::uint32_t pid, const Fd &process, int files, const char *name) {
    std::array<char, 64> target{};
    const ssize_t length = ::readlinkat(files, name, target.data(), target.size());
    if (length <= 0)
      return;
    const std::string_view kind{target.data(), static_cast<std::size_t>(length)};
    // May run a program, and nothing here says which.
    has_perf_events_ |= kind == "anon_inode:[perf_event]";
    if (kind != "anon_inode:bpf-map" && kind != "anon_inode:bpf-prog" &&
        kind != "anon_inode:bpf_link")
      return;
    const std::string path = fmt::format("fdinfo/{}", name);
    const Fd info{::openat(process.get(), path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 4096> text;
    const ssize_t size = info ? ::read(info.get(), text.data(), text.size()) : -1;
    if (size <= 0)
      return; // closed meanwhile
    HeldObject held = parse_held_object({text.data(), static_cast<std::size_t>(size)});
    held.pid = pid;
    if (held.id != 0)
      held_.objects.push_back(held);
  }

  ProcLookLimits limits_;
  std::uint64_t cpu_start_ns_;
  std::uint64_t descriptors_ = 0;
  std::uint64_t denied_ = 0;
  bool has_perf_events_ = false;
  HeldObjects held_;
};

// 0: no such line.
std::uint32_t id_in(std::string_view text, std::string_view name) {
  return descriptor_field<std::uint32_t>(text, name).value_or(0);
}

} // namespace

HeldObject parse_held_object(std::string_view text) {
  const std::uint32_t link = id_in(text, "link_id:\t");
  if (const std::uint32_t id = id_in(text, "prog_id:\t"); id != 0)
    return {.kind = HeldObjectKind::program, .id = id};
  if (const std::uint32_t id = id_in(text, "map_id:\t"); id != 0)
    return {.kind = link != 0 ? HeldObjectKind::map_by_link : HeldObjectKind::map, .id = id};
  return {};
}

HeldObjects held_objects_by_proc(const ProcLookLimits &limits) {
  const Directory processes = open_directory(AT_FDCWD, "/proc");
  if (!processes)
    return {.problem = Error::from_errno("Who holds BPF is not known: opening /proc").message()};
  ProcLook look{limits};
  while (const dirent *entry = ::readdir(processes.get())) {
    std::uint32_t pid = 0;
    const std::string_view name{entry->d_name};
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size())
      continue;
    if (look.is_spent())
      return std::move(look).answer(false);
    look.look_at(pid);
  }
  return std::move(look).answer(true);
}

} // namespace mapscope
