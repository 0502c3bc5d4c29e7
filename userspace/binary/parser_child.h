// The child's side of a parser: confines itself, parses one executable, answers until its parent
// closes the socket.
#pragma once

#include <cstdint>
#include <string>

#include "base/handle.h"
#include "binary/confinement.h"

namespace mapscope {

// The whole rest of a freshly forked process with one thread. The exit status: EXIT_FAILURE when
// memory did not suffice, else EXIT_SUCCESS.
[[noreturn]] void run_parser_child(Fd file, Fd socket, std::uint64_t size_bytes, std::string path,
                                   const Confinement &confinement);

} // namespace mapscope
