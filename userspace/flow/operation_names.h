// The words for what a probe tells, as JSON and recordings have them.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "bpf/contract/events.h"

namespace mapscope {

inline constexpr std::array kMapOperationNames = {
    std::pair{MAP_OPERATION_MAKE_SMALL, std::string_view{"make_small"}},
    std::pair{MAP_OPERATION_MAKE, std::string_view{"make"}},
    std::pair{MAP_OPERATION_NEW_MAP, std::string_view{"new_map"}},
    std::pair{MAP_OPERATION_CLONE, std::string_view{"clone"}},
    std::pair{MAP_OPERATION_HASH_GROW, std::string_view{"hash_grow"}},
    std::pair{MAP_OPERATION_GROW_TO_SMALL, std::string_view{"grow_to_small"}},
    std::pair{MAP_OPERATION_GROW_TO_TABLE, std::string_view{"grow_to_table"}},
    std::pair{MAP_OPERATION_REHASH, std::string_view{"rehash"}},
    std::pair{MAP_OPERATION_TABLE_GROW, std::string_view{"table_grow"}},
    std::pair{MAP_OPERATION_TABLE_SPLIT, std::string_view{"table_split"}},
    std::pair{MAP_OPERATION_INSTALL_SPLIT, std::string_view{"install_split"}},
    std::pair{MAP_OPERATION_CLEAR, std::string_view{"clear"}},
    std::pair{MAP_OPERATION_GROW_WORK, std::string_view{"grow_work"}},
    std::pair{MAP_OPERATION_PRUNE, std::string_view{"prune"}},
};

inline constexpr std::array kHeapRequestNames = {
    std::pair{HEAP_REQUEST_GROW, std::string_view{"grow"}},
    std::pair{HEAP_REQUEST_LARGE, std::string_view{"large"}},
};

} // namespace mapscope
