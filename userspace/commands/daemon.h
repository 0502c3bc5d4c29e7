// `mapscope daemon`: watches the host by rules, and raises alerts.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
// Its status: done; with --once found (a rule fires) or could_not_tell; usage (the configuration is
// wrong); not_permitted.
void add_daemon(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
