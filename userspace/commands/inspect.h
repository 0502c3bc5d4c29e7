// `mapscope inspect BINARY`: what mapscope can see of a Go binary, and what it would probe.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
// Its status: done, could_not_tell (not Go, unsupported, corrupt) or not_permitted.
void add_inspect(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
