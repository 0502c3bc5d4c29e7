// Where `maps` reads: a running process, a core file or a snapshot, each with what its executable
// says of it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/program_roots.h"
#include "flow/source.h"
#include "memory/snapshot.h"

namespace mapscope {

struct MapSource {
  std::unique_ptr<AddressSpace> memory;
  SnapshotProcess process;
  // What the executable says when it is asked: its own file, or the answers that a snapshot holds.
  std::shared_ptr<Symbolizer> symbolizer;
  std::shared_ptr<RootSource> roots;
  std::string description; // "process 4711", "snapshot of process 4711"
  bool is_live = false;
};

// Errors: gone, denied (needs CAP_SYS_PTRACE, or the same user), not_found (not a Go program),
// unsupported or malformed (a binary that mapscope can't read).
Result<MapSource> open_process(pid_t pid);

// `exe` empty: the executable that the core file names. Errors: as above, and not_found where that
// is no longer there.
Result<MapSource> open_core_file(const std::string &path, const std::string &exe);

Result<MapSource> open_snapshot(const std::string &path);

} // namespace mapscope
