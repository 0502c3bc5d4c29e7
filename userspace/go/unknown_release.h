// What is said of programs made by a Go release that mapscope was not made for.
#pragma once

#include <string>

#include "flow/binary_facts.h"

namespace mapscope {

// Why nothing can be read from the memory of this program; empty: something can.
std::string missing_layout(const BinaryFacts &facts);

// What the numbers of such a program rest on.
std::string supposed_rules(const BinaryFacts &facts);

// Why a verdict on such a program cannot be `clean`.
std::string possible_blind_spot(const BinaryFacts &facts);

} // namespace mapscope
