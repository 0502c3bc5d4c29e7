// From one executable's functions to the places where probes can go, and what they will miss.
#pragma once

#include "base/error.h"
#include "binary/go_binary.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Fills what of `facts` comes from the code: map implementation, operations, heap requests,
// misuse, map writes, inlined copies, map functions and ranges, runtime text, syscall6,
// systemstack_switch and the TLS offset; and adds a warning for everything that will not be seen.
//
// `facts` must have machine, version and uses_pgo already. Errors: malformed (a function that
// pclntab names is not in the file). A function without a safe probe point is left out, with
// a warning.
Result<> fill_probe_points(const GoBinary &binary, BinaryFacts &facts);

} // namespace mapscope
