// What a sample of keys tells: the frequent ones, their common beginnings, and how even it is.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "flow/bpf_map.h"

namespace mapscope {

// `name_of` makes text of a key. At most `top_max` rows in each list.
BpfKeyDistribution
key_distribution(std::span<const std::vector<std::byte>> keys,
                 const std::function<std::string(std::span<const std::byte>)> &name_of,
                 std::size_t top_max = 10);

} // namespace mapscope
