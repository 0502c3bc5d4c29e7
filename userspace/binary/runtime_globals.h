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

// runtime.MemProfileRate by the code alone (amd64): the one variable of eight bytes that both the
// functions that take samples and those that make the caches of threads use.
// Go source: runtime/malloc.go, profilealloc; runtime/mcache.go, allocmcache (nextSample).
std::optional<ElfAddress> find_memory_profile_rate_in_code(const GoBinary &binary);

// runtime.mbuckets by the code alone (amd64): what the walk over all of its list starts with, and
// what puts a bucket into it uses, too. Go source: runtime/mprof.go, mProf_FlushLocked, stkbucket.
std::optional<ElfAddress> find_memory_buckets_in_code(const GoBinary &binary);

} // namespace mapscope
