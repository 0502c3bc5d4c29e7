// Opening and writing; see output.h.
#include "commands/output.h"

#include <fcntl.h>
#include <unistd.h>

namespace mapscope {

Result<Fd> open_output(const std::string &path, bool command_has_stdout) {
  if (path.empty())
    return Fd{::fcntl(command_has_stdout ? STDERR_FILENO : STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)};
  Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  return file;
}

Result<Fd> open_input(const std::string &path) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  return file;
}

Result<> write_all(const Fd &file, std::string_view text) {
  while (!text.empty()) {
    ssize_t size = ::write(file.get(), text.data(), text.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return std::unexpected(Error::from_errno("writing the report"));
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

} // namespace mapscope
