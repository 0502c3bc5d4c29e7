// The first look at an executable: it reads any file, and refuses none that the parser accepts, but
// for those that go_look.h names.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/build_info.h"
#include "binary/go_look.h"
#include "fuzz/fuzz_target.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(go_look_fuzz, data, size_bytes) {
  static const Fd file{::memfd_create("fuzz", MFD_CLOEXEC)};
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), data, size_bytes, 0) != static_cast<ssize_t>(size_bytes))
    return 0;
  const auto answer = may_be_go(file);
  if (answer && *answer)
    return 0;
  const auto elf = ElfFile::parse(std::as_bytes(std::span{data, size_bytes}));
  if (!elf)
    return 0;
  const auto info = read_build_info(*elf);
  const bool has_headers =
      data[offsetof(Elf64_Ehdr, e_shnum)] != 0 || data[offsetof(Elf64_Ehdr, e_shnum) + 1] != 0;
  if (info && !(info->was_removed && has_headers))
    std::abort();
  return 0;
}
