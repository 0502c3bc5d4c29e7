// `mapscope record FILE`: keeps what the kernel said, for `mapscope replay`.
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
void add_record(CLI::App &app, std::vector<std::string> command_line,
                std::function<int()> &selected);

} // namespace mapscope
