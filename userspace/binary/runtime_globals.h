// Variables of the Go runtime in an executable, stripped or not.
#pragma once

#include <optional>

#include "base/address.h"
#include "binary/go_binary.h"

namespace mapscope {

// runtime.allgs, the slice of all goroutines that there ever were: by its symbol, else (amd64) by
// the code of the two functions that append to it and that walk it. Nothing where these do not
// agree on one address.
// Go source: runtime/proc.go, allgadd and forEachG, the same in Go 1.17 to 1.27.
std::optional<ElfAddress> find_all_goroutines(const GoBinary &binary);

} // namespace mapscope
