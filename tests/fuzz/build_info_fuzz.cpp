// The build information of an otherwise sound executable, and version strings.
#include <cstdint>
#include <string>
#include <string_view>

#include "binary/build_info.h"
#include "fuzz/fuzz_target.h"
#include "support/synthetic_go.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(build_info_fuzz, data, size_bytes) {
  const std::string_view text{reinterpret_cast<const char *>(data), size_bytes};
  (void)parse_toolchain_version(text);

  SyntheticGo program;
  auto bytes = program.make();
  const auto room = bytes.size() - program.build_info_offset() - 14; // behind the magic
  std::copy_n(std::as_bytes(std::span{data, size_bytes}).begin(), std::min(room, size_bytes),
              bytes.begin() + static_cast<std::ptrdiff_t>(program.build_info_offset() + 14));
  if (const auto elf = ElfFile::parse(bytes))
    (void)read_build_info(*elf);
  return 0;
}
