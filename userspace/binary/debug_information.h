// The DWARF of an executable, as libdw reads it: of a copy of only those sections that describe
// types and variables, since it would decompress all of the debug information otherwise, and it
// writes to what it is given.
#pragma once

#include <vector>

#include <elfutils/libdw.h>
#include <libelf.h>

#include "base/error.h"
#include "base/handle.h"
#include "binary/elf_file.h"

namespace mapscope {

class DebugInformation {
public:
  // Errors: not_found (the binary has none), malformed.
  static Result<DebugInformation> open(const ElfFile &elf);

  Dwarf &dwarf() const { return *dwarf_; }

private:
  using ElfHandle = Handle<Elf, elf_end>;
  using DwarfHandle = Handle<Dwarf, dwarf_end>;

  DebugInformation() = default;

  std::vector<char> image_; // goes last
  ElfHandle elf_;
  DwarfHandle dwarf_;
};

} // namespace mapscope
