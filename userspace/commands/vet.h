// `mapscope vet FILE...`: what in BPF objects and Go sources will bloat, before it runs.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
// Its status: done (nothing of the level of --fail-on), found, usage, or could_not_tell (something
// could not be judged, and nothing was found in the rest).
void add_vet(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
