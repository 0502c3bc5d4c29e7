// A first look at an executable, before a parser is started for it: whether it can be a Go program
// at all. Most programs of a host are none.
#pragma once

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// True for every Go program that ElfFile and read_build_info() accept, but for one that has section
// headers, none of them of Go, and neither build information nor a note; true for some files that
// are none, false for nearly all others. Reads some kilobytes, or the segments of a program that
// has no section headers. Runs outside of the confined parser, so it takes nothing from the file
// but a few numbers, each of them checked, and bytes to compare. Errors: system (the file can't be
// read).
Result<bool> may_be_go(const Fd &file);

} // namespace mapscope
