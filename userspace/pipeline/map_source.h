// Where `maps` reads: a running process, a core file or a snapshot, each with what its executable
// says of it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/process.h"
#include "flow/program_roots.h"
#include "flow/source.h"
#include "memory/snapshot.h"

namespace mapscope {

class BinaryCache; // binary/confined_parser.h
class ConfinedBinary;

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

// The same of a process whose executable was parsed before, for others that run it too. `exe`: as
// people know it. Errors: gone, denied, malformed.
Result<MapSource> open_process(ProcessKey process, const std::string &exe,
                               std::shared_ptr<ConfinedBinary> binary);

// `exe` empty: the executable that the core file names. Errors: as above, and not_found where that
// is no longer there.
Result<MapSource> open_core_file(const std::string &path, const std::string &exe);

Result<MapSource> open_snapshot(const std::string &path);

} // namespace mapscope
