// Opening; see output.h.
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

} // namespace mapscope
