// What /proc says of one process: its executable, its start, where it was loaded.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "base/handle.h"
#include "flow/process.h"

namespace mapscope {

struct ProcessInfo {
  ProcessKey key;
  std::string exe; // as /proc/PID/exe shows it, " (deleted)" included
  Fd executable;   // open on the very file, also when it was replaced or deleted
};

// Errc::gone: no such process; denied: another user's; unsupported: a kernel thread.
Result<ProcessInfo> find_process(pid_t pid);

// Every process of this pid namespace, in the order of their numbers.
std::vector<pid_t> running_processes();

// Nanoseconds since boot, in steps of the kernel's clock tick. Errc::gone as above.
Result<std::uint64_t> process_start_time(pid_t pid);

// Where the executable of a running process was loaded, told by the entry point that the
// kernel left in its auxiliary vector. `entry` is the ELF file's.
Result<LoadBias> process_load_bias(pid_t pid, ElfAddress entry);

// The same entry point, from the bytes of /proc/PID/auxv. Nothing: they name none.
std::optional<ProcessAddress> entry_in_auxv(std::span<const std::byte> bytes);

// Opens what exec would run for `command`: with a slash as it is, else along PATH.
struct ResolvedCommand {
  std::string path;
  Fd file;
};
Result<ResolvedCommand> resolve_command(const std::string &command);

// Whether it starts with "#!".
bool is_script(const Fd &file);

// Whether two descriptors are the same file.
bool same_file(const Fd &left, const Fd &right);

} // namespace mapscope
