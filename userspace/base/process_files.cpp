// Reading /proc as it is: files without a size, of processes that may end meanwhile.
#include "base/process_files.h"

#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include "base/handle.h"

namespace mapscope {

Result<std::string> read_process_file(pid_t pid, std::string_view name, std::size_t bytes_max) {
  std::string path = fmt::format("/proc/{}/{}", pid, name);
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) {
    if (errno == ENOENT)
      return fail(Errc::gone, "there is no process {}", pid);
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  }
  std::string text;
  std::array<char, 16384> piece;
  for (;;) {
    ssize_t size = ::read(file.get(), piece.data(), piece.size());
    if (size < 0)
      return std::unexpected(Error::from_errno(fmt::format("reading {}", path)));
    if (size == 0)
      return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > bytes_max)
      return fail(Errc::malformed, "{} is longer than {} bytes", path, bytes_max);
  }
}

Result<ProcessStat> read_process_stat(pid_t pid) {
  return parse_process_stat(TRY(read_process_file(pid, "stat")), pid);
}

Result<ProcessStat> parse_process_stat(const std::string &text, pid_t pid) {
  // The name in parentheses may hold anything; start time is field 22, the 20th behind it
  // (proc(5)), and the start of the stack field 28.
  std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos)
    return fail(Errc::malformed, "/proc/{}/stat has no name", pid);
  std::size_t at = name_end + 1;
  constexpr int kStartTime = 20, kStackStart = 26; // behind the name
  std::uint64_t ticks = 0;
  for (int field = 1; field <= kStackStart && at != std::string::npos; ++field) {
    at = text.find(' ', at + (field > 1 ? 1 : 0));
    if (field == kStartTime && at != std::string::npos)
      ticks = std::strtoull(text.c_str() + at, nullptr, 10);
  }
  if (at == std::string::npos)
    return fail(Errc::malformed, "/proc/{}/stat has too few fields", pid);
  std::uint64_t tick_ns = 1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ProcessStat{text[name_end + 2], ticks * tick_ns,
                     std::strtoull(text.c_str() + at, nullptr, 10)};
}

} // namespace mapscope
