// `mapscope bpf-maps`: the kernel's own maps, how full and how busy they are.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace mapscope {

void add_bpf_maps(CLI::App &app, std::function<int()> &selected);

} // namespace mapscope
