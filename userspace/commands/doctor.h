// `mapscope doctor`: what this kernel, its settings and these privileges allow.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
// Its status: done, found (a command lacks what it needs) or not_permitted.
void add_doctor(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
