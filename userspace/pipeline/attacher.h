// Places the probes of a plan into one process, after a last look at the bytes they land on.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "attach/plan.h"
#include "base/error.h"
#include "base/handle.h"
#include "kernel/tracer.h"

namespace mapscope {

// Whether these bytes of an instruction still stand in the file: a probe inside of one would kill
// the process. Errors: malformed.
Result<> check_bytes(const Fd &executable, std::string_view function, FileOffset offset,
                     const std::vector<std::uint8_t> &expected);

// Every probe of `plan`, in one link for each kind. `executable` is the file that the facts
// were read from: probes go to that inode, whatever its path names by now. Fails without
// having placed anything when a byte is not what the plan expects: a probe inside an
// instruction would kill the process. `await_entry`: also tell the load bias at the first
// instruction.
Result<std::vector<UprobeLinks>> place_probes(Tracer &tracer, const ProbePlan &plan,
                                              const Fd &executable, pid_t pid, std::uint32_t index,
                                              std::optional<FileOffset> await_entry);

} // namespace mapscope
