// Where file systems are mounted, from the text of /proc/PID/mountinfo (proc(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

struct MountPoint {
  std::string device; // "0:27": one file system, wherever it is mounted
  std::string root;   // which part of it
  std::string path;   // as the mount namespace names it
  std::string type;   // "bpf"
};

// Lines that are not as proc(5) says are left out; at most 10,000.
std::vector<MountPoint> parse_mount_table(std::string_view text);

// Whether going to that path may wait for another machine or for a process: some directory above is
// of a file system that does. `with_root`: the root itself counts; where that of the host is such,
// nothing runs without it.
bool is_behind_waiting_mount(const std::vector<MountPoint> &table, std::string_view path,
                             bool with_root);

// BPF file systems, each part of each once, and none that `known` has.
std::vector<MountPoint> bpf_mounts(const std::vector<MountPoint> &table,
                                   const std::vector<MountPoint> &known = {});

} // namespace mapscope
