// Where code of the running test lies in its own executable file.
#pragma once

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <optional>

#include "base/address.h"

namespace mapscope::testing {

// The file offset of an address of this executable, and its load bias.
struct OwnAddress {
  FileOffset offset;
  LoadBias bias;
};

inline OwnAddress own_address(const void *code) {
  struct Search {
    std::uint64_t address;
    OwnAddress found;
  } search{reinterpret_cast<std::uint64_t>(code), {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info *info, std::size_t, void *context) {
        auto &wanted = *static_cast<Search *>(context);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr) &segment = info->dlpi_phdr[i];
          std::uint64_t start = info->dlpi_addr + segment.p_vaddr;
          if (segment.p_type != PT_LOAD || wanted.address - start >= segment.p_filesz)
            continue;
          wanted.found = {{wanted.address - start + segment.p_offset}, {info->dlpi_addr}};
          return 1;
        }
        return 0;
      },
      &search);
  return search.found;
}

} // namespace mapscope::testing
