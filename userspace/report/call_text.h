// System calls as people write them: "mmap(NULL, 4 MiB, PROT_READ|PROT_WRITE, ...) = 0xc000400000".
#pragma once

#include <string>
#include <string_view>

#include "flow/attributed_event.h"

namespace mapscope {

// Printable, and cut to the last 80 bytes: the end of a path tells more than its beginning.
std::string path_text(std::string_view path);

// Name and arguments: decoded for memory calls, the path or what the descriptor refers to for
// others. `write(2 = /var/log/gc.log)`, `openat("/etc/hosts")`, `ioctl(0x7, 0x1, 0x0, ...)`
void append_call(const AttributedCall &call, std::string &out);

// " = 0xc000400000", " = 12", " = ENOMEM"; " = ?" when it did not return.
void append_result(const AttributedCall &call, std::string &out);

} // namespace mapscope
