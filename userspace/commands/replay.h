// `mapscope replay FILE`: what `trace` or `verify` would have said of a recorded run.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
void add_replay(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
