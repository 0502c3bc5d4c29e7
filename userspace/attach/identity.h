// Who a process is, from /proc and /etc/passwd.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include <sys/stat.h>

#include "attach/process.h"
#include "base/error.h"
#include "flow/process_identity.h"

namespace mapscope {

// Names of users as /etc/passwd has them: other sources, such as LDAP, may take seconds to answer.
// Used from any thread.
class UserNames {
public:
  explicit UserNames(std::string path = "/etc/passwd") : path_(std::move(path)) {}
  std::string name_of(std::uint32_t uid); // empty: no such user

private:
  void read_if_changed();

  std::string path_;
  std::mutex mutex_;
  timespec changed_{};
  std::map<std::uint32_t, std::string> names_;
};

// Errors: gone, denied, malformed.
Result<ProcessIdentity> read_identity(const ProcessInfo &process, UserNames &users);

// Arguments joined by blanks and printable, from the bytes of /proc/PID/cmdline.
std::string command_line_text(std::string_view arguments);

} // namespace mapscope
