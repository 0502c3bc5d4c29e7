// A verdict for people: one screen.
#pragma once

#include <string>

#include "flow/verdict.h"

namespace mapscope {

// Ends with a newline. `colour`: with escape sequences, see report/terminal.h.
std::string verify_text(const Verdict &verdict, bool colour);

} // namespace mapscope
