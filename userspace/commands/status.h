// `mapscope status`: asks a running daemon what it watches and what fires.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
// Its status: done (nothing fires), found, could_not_tell (no daemon answers) or not_permitted.
void add_status(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
