// The variables of the Go runtime that tell of its heap, in an executable with symbols or without.
#pragma once

#include <vector>

#include "base/address.h"
#include "binary/go_binary.h"
#include "flow/binary_facts.h"

namespace mapscope {

// Where data lies that is zero when the program starts: by section headers, else what segments
// have in memory behind the end of what the file has of them.
std::vector<ElfRange> find_zeroed_data(const ElfFile &elf);

// Each by its symbol, else by the code. Of `facts` this takes the machine, the text of the runtime,
// the zeroed data and the layout.
RuntimeVariables find_runtime_variables(const GoBinary &binary, const BinaryFacts &facts);

// By the code alone (amd64): 0 where it does not tell, or contradicts itself.
RuntimeVariables find_runtime_variables_in_code(const GoBinary &binary, const BinaryFacts &facts);

} // namespace mapscope
