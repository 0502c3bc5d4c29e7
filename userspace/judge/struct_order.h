// The order of a struct's fields that wastes least, and where its padding is now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/map_type_layout.h"

namespace mapscope {

// Bytes between a field and what comes behind it.
struct StructHole {
  std::string behind; // name of the field; empty: of a nested struct
  std::uint64_t bytes = 0;
};

std::vector<StructHole> struct_holes(const GoType &type);

struct StructOrder {
  std::vector<GoField> fields; // in the order proposed, with the offsets they get
  std::uint64_t size_bytes = 0;
  std::uint64_t saved_bytes = 0; // of each value; never 0
};

// Empty where no order is better, and for a struct with a blank field: such padding is meant.
std::optional<StructOrder> better_struct_order(const GoType &type);

} // namespace mapscope
