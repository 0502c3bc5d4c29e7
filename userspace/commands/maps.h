// `mapscope maps`: the true state of every map of a process, from its memory alone.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

void add_maps(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
