// `mapscope trace`: one line per map operation and memory system call, live.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace mapscope {

// Adds the subcommand; `selected` becomes what to run when it is the one that was named.
// `command_line` is what stood behind "--": the command to watch and its arguments.
void add_trace(CLI::App &app, std::vector<std::string> command_line,
               std::function<int()> &selected);

} // namespace mapscope
