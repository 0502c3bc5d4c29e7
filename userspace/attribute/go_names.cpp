// One word for all probed functions of an operation.
#include "attribute/go_names.h"

namespace mapscope {

std::optional<std::string_view> operation_name(map_operation operation) {
  switch (operation) {
  case MAP_OPERATION_MAKE_SMALL:
  case MAP_OPERATION_MAKE:
  case MAP_OPERATION_NEW_MAP:
    return "creation";
  case MAP_OPERATION_CLONE:
    return "copy";
  case MAP_OPERATION_CLEAR:
    return "clear";
  case MAP_OPERATION_PRUNE:
    return "prune";
  case MAP_OPERATION_HASH_GROW:
  case MAP_OPERATION_GROW_TO_SMALL:
  case MAP_OPERATION_GROW_TO_TABLE:
  case MAP_OPERATION_REHASH:
  case MAP_OPERATION_TABLE_GROW:
  case MAP_OPERATION_TABLE_SPLIT:
  case MAP_OPERATION_INSTALL_SPLIT:
  case MAP_OPERATION_GROW_WORK:
    return "growth";
  case MAP_OPERATION_NONE:
  case MAP_OPERATION_COUNT:
    return std::nullopt;
  }
  return std::nullopt;
}

} // namespace mapscope
