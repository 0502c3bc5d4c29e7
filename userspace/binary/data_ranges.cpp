// Fields of runtime.moduledata behind those that module_data.cpp reads.
#include "binary/data_ranges.h"

#include "base/user_space.h"

namespace mapscope {
namespace {

// The same in Go 1.17 to 1.27: each a start and an end.
constexpr std::uint64_t kData = 208, kBss = 224;
constexpr std::uint64_t kReadBytes = 240;
// What .data and .bss of one program can have in all.
constexpr std::uint64_t kDataBytesMax = 4ULL << 30;

// moduledata.gcdatamask; gcbssmask follows it.
std::uint64_t mask_offset(GoVersion version, bool is_from_1_27) {
  if (is_from_1_27)
    return 520;
  switch (version.minor) {
  case 17:
    return 480;
  case 18:
  case 19:
    return 496;
  case 20:
    return 512;
  case 21:
  case 22:
  case 23:
  case 24:
  case 25:
    return 536;
  default:
    return 544;
  }
}

} // namespace

Result<std::vector<MaskedData>> read_masked_data(const GoBinary &binary) {
  constexpr std::uint64_t kBitVectorBytes = 16;
  const ModuleData &module = binary.module_data();
  const auto bytes = TRY(binary.elf().read_data({module.address, kReadBytes}));
  const std::uint64_t masks =
      module.address.value +
      mask_offset(binary.build_info().toolchain.version, module.is_from_1_27);
  std::vector<MaskedData> masked;
  for (std::uint64_t offset : {kData, kBss}) {
    const auto start = TRY(ByteReader{bytes}.read_at<std::uint64_t>(offset));
    const auto end = TRY(ByteReader{bytes}.read_at<std::uint64_t>(offset + sizeof(std::uint64_t)));
    const ElfRange range{{start}, end - start};
    if (end < start || !is_in_user_space(range) || range.size_bytes > kDataBytesMax ||
        start % sizeof(std::uint64_t) != 0)
      return fail(Errc::malformed, "variables at {:#x} to {:#x}", start, end);
    if (range.size_bytes != 0)
      masked.push_back({range, {masks + (offset == kBss ? kBitVectorBytes : 0)}});
  }
  return masked;
}

} // namespace mapscope
