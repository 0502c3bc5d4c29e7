// Reading the files that say who a process is; see identity.h.
#include "attach/identity.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "attach/cgroup.h"
#include "base/handle.h"
#include "base/printable.h"
#include "base/process_files.h"

namespace mapscope {
namespace {

constexpr std::size_t kCommandLineBytesMax = 4096;
constexpr std::size_t kUsersMax = 65'536;

// The first bytes only: a command line may have megabytes.
Result<std::string> read_command_line(pid_t pid) {
  const std::string path = fmt::format("/proc/{}/cmdline", pid);
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text(kCommandLineBytesMax, '\0');
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size < 0)
    return std::unexpected(Error::from_errno(fmt::format("reading {}", path)));
  text.resize(static_cast<std::size_t>(size));
  return command_line_text(text);
}

// "Uid:\treal\teffective\tsaved\tfile system".
Result<std::uint32_t> effective_uid(pid_t pid) {
  const std::string text = TRY(read_process_file(pid, "status"));
  auto at = text.find("\nUid:\t");
  at = at == text.npos ? at : text.find('\t', at + 6);
  std::uint32_t uid = 0;
  if (at == text.npos ||
      std::from_chars(text.data() + at + 1, text.data() + text.size(), uid).ec != std::errc{})
    return fail(Errc::malformed, "/proc/{}/status names no user", pid);
  return uid;
}

} // namespace

std::string command_line_text(std::string_view arguments) {
  while (arguments.ends_with('\0'))
    arguments.remove_suffix(1);
  std::string text{arguments.substr(0, kCommandLineBytesMax)};
  std::ranges::replace(text, '\0', ' ');
  return printable(text);
}

void UserNames::read_if_changed() {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0)
    return;
  if (status.st_mtim.tv_sec == changed_.tv_sec && status.st_mtim.tv_nsec == changed_.tv_nsec)
    return;
  const Handle<std::FILE, std::fclose> file{std::fopen(path_.c_str(), "re")};
  if (!file)
    return;
  changed_ = status.st_mtim;
  names_.clear();
  passwd entry{};
  passwd *found = nullptr;
  std::string room(4096, '\0');
  while (names_.size() < kUsersMax &&
         ::fgetpwent_r(file.get(), &entry, room.data(), room.size(), &found) == 0)
    names_.emplace(entry.pw_uid, printable(entry.pw_name));
}

std::string UserNames::name_of(std::uint32_t uid) {
  const std::lock_guard lock{mutex_};
  read_if_changed();
  auto found = names_.find(uid);
  return found == names_.end() ? std::string{} : found->second;
}

Result<ProcessIdentity> read_identity(const ProcessInfo &process, UserNames &users) {
  const auto pid = static_cast<pid_t>(process.key.pid);
  ProcessIdentity identity{.key = process.key};
  std::string_view exe = process.exe;
  if (constexpr std::string_view kDeleted = " (deleted)"; exe.ends_with(kDeleted))
    exe.remove_suffix(kDeleted.size());
  identity.exe = printable(exe);
  identity.command_line = TRY(read_command_line(pid));
  identity.uid = TRY(effective_uid(pid));
  identity.user = users.name_of(identity.uid);
  identity.cgroup = cgroup_identity(TRY(read_process_file(pid, "cgroup")));
  return identity;
}

} // namespace mapscope
