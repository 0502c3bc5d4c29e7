// runtime.firstmoduledata: the runtime's own description of its image. It says where Go text
// begins, which pclntab has not said since Go 1.26 and never said usefully in a
// position-independent or externally linked program.
#pragma once

#include "base/address.h"
#include "base/error.h"
#include "binary/build_info.h"
#include "binary/elf_file.h"
#include "flow/binary_facts.h"

namespace mapscope {

struct ModuleData {
  ElfAddress address;       // of the structure itself
  ElfAddress pclntab;       // the header of the table it describes
  ElfRange text;            // runtime.text to runtime.etext
  ElfRange functions;       // first function of pclntab to the end of the last
  ElfAddress function_data; // base of funcdata offsets (moduledata.gofunc); 0 in Go 1.17
  ElfRange types;           // type descriptors and their names; empty where it makes no sense
  // Go 1.27 or newer, which moved much in this structure and in type descriptors. Told by the
  // version; by the size of .go.module for a development version, which lies on either side.
  bool is_from_1_27 = false;
};

// The module data that points to the pclntab header at `pclntab`: the section .go.module
// (Go 1.26 on), the symbol, or else the one place in writable data that holds such a pointer
// and a plausible structure behind it. `toolchain` picks the offsets of gofunc and types.
//
// Errors: not_found.
// Go source: runtime/symtab.go, type moduledata.
Result<ModuleData> find_module_data(const ElfFile &elf, ElfAddress pclntab,
                                    const ToolchainVersion &toolchain);

} // namespace mapscope
