// Where the report of a command goes.
#pragma once

#include <string>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// The file of that name, emptied; without a name a copy of standard error where a watched command
// has standard output, of standard output otherwise.
Result<Fd> open_output(const std::string &path, bool command_has_stdout);

// An existing file, to be read from its beginning.
Result<Fd> open_input(const std::string &path);

} // namespace mapscope
