// Facts about processes from /proc; see process.h.
#include "attach/process.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/process_files.h"

namespace mapscope {
namespace {

bool is_runnable(const Fd &file) {
  struct stat status{};
  return ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
         (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
}

} // namespace

std::vector<pid_t> running_processes() {
  std::vector<pid_t> pids;
  std::error_code no_more; // a process that ends meanwhile is no error
  for (const auto &entry : std::filesystem::directory_iterator("/proc", no_more)) {
    std::string name = entry.path().filename();
    pid_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size())
      pids.push_back(pid);
  }
  std::ranges::sort(pids);
  return pids;
}

Result<std::uint64_t> process_start_time(pid_t pid) {
  return TRY(read_process_stat(pid)).start_time_ns;
}

Result<ProcessInfo> find_process(pid_t pid) {
  ProcessStat stat = TRY(read_process_stat(pid));
  if (stat.state == 'Z' || stat.state == 'X')
    return fail(Errc::gone, "process {} has ended", pid);
  ProcessInfo info;
  info.key = {static_cast<std::uint32_t>(pid), stat.start_time_ns};

  std::string link = fmt::format("/proc/{}/exe", pid);
  std::array<char, PATH_MAX> target{};
  ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length < 0) {
    if (errno == ENOENT)
      return fail(Errc::unsupported, "process {} has no executable: a kernel thread, or ending",
                  pid);
    return std::unexpected(Error::from_errno(fmt::format("looking up {}", link)));
  }
  info.exe.assign(target.data(), static_cast<std::size_t>(length));
  info.executable = Fd{::open(link.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!info.executable)
    return std::unexpected(Error::from_errno(fmt::format("opening {} ({})", link, info.exe)));
  return info;
}

std::optional<ProcessAddress> entry_in_auxv(std::span<const std::byte> bytes) {
  ByteReader reader{bytes};
  while (const auto item = reader.read<Elf64_auxv_t>())
    if (item->a_type == AT_ENTRY)
      return ProcessAddress{item->a_un.a_val};
  return std::nullopt;
}

Result<LoadBias> process_load_bias(pid_t pid, ElfAddress entry) {
  const std::string text = TRY(read_process_file(pid, "auxv"));
  if (const auto here = entry_in_auxv(std::as_bytes(std::span{text})))
    return LoadBias{here->value - entry.value};
  return fail(Errc::malformed, "/proc/{}/auxv names no entry point", pid);
}

Result<ResolvedCommand> resolve_command(const std::string &command) {
  if (command.find('/') != std::string::npos) {
    Fd file{::open(command.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
      return std::unexpected(Error::from_errno(fmt::format("opening {}", command)));
    if (!is_runnable(file))
      return fail(Errc::usage, "{} is not an executable file", command);
    return ResolvedCommand{command, std::move(file)};
  }
  const char *variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    std::string path = fmt::format("{}/{}", folder.empty() ? "." : folder, command);
    Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file && is_runnable(file))
      return ResolvedCommand{path, std::move(file)};
  }
  return fail(Errc::not_found, "{}: no such command in PATH", command);
}

bool is_script(const Fd &file) {
  std::array<char, 2> start{};
  return ::pread(file.get(), start.data(), start.size(), 0) == 2 && start[0] == '#' &&
         start[1] == '!';
}

bool same_file(const Fd &left, const Fd &right) {
  struct stat a{}, b{};
  return ::fstat(left.get(), &a) == 0 && ::fstat(right.get(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

} // namespace mapscope
