// Finding runtime.firstmoduledata in every build mode.
#include "binary/module_data.h"

#include <algorithm>
#include <vector>

namespace mapscope {
namespace {

// Offsets in runtime.moduledata, the same in Go 1.17 to 1.27 unless said otherwise.
constexpr std::uint64_t kPclntab = 0;
constexpr std::uint64_t kMinPc = 160;
constexpr std::uint64_t kMaxPc = 168;
constexpr std::uint64_t kText = 176;
constexpr std::uint64_t kEndOfText = 184;
constexpr std::uint64_t kReadBytes = 352; // through the last field that is read here
// A linker may round the end of text up behind the last function.
constexpr std::uint64_t kEndOfTextSlack = 16;
// Size of .go.module in Go 1.26; smaller from 1.27 on, which dropped typelinks and itablinks.
constexpr std::uint64_t kSizeInGo126 = 0x250;

bool is_from_1_27(const ElfFile &elf, const ToolchainVersion &toolchain) {
  const ElfSection *section = elf.find_section(".go.module");
  if (toolchain.nearness == Nearness::development && toolchain.version.minor == 27)
    return section != nullptr && section->range.size_bytes < kSizeInGo126;
  return toolchain.version.minor >= 27;
}

struct Offsets {
  std::optional<std::uint64_t> function_data; // gofunc; absent in 1.17, whose funcdata are pointers
  std::uint64_t types, end_of_types;
};

Offsets offsets_in(GoVersion version, bool from_1_27) {
  if (version.minor == 17)
    return {std::nullopt, 280, 288};
  if (version.minor == 18 || version.minor == 19)
    return {304, 280, 288};
  return from_1_27 ? Offsets{344, 296, 312} : Offsets{320, 296, 304};
}

Result<ModuleData> read_module_data(const ElfFile &elf, ElfAddress address, ElfAddress pclntab,
                                    const ToolchainVersion &toolchain) {
  const auto bytes = TRY(elf.read_data({address, kReadBytes}));
  ByteReader module{bytes};
  const auto min_pc = TRY(module.read_at<std::uint64_t>(kMinPc));
  const auto max_pc = TRY(module.read_at<std::uint64_t>(kMaxPc));
  const auto text = TRY(module.read_at<std::uint64_t>(kText));
  const auto end_of_text = TRY(module.read_at<std::uint64_t>(kEndOfText));
  if (TRY(module.read_at<std::uint64_t>(kPclntab)) != pclntab.value || min_pc > max_pc ||
      text > min_pc || text > end_of_text || max_pc > end_of_text + kEndOfTextSlack)
    return fail(Errc::malformed, "no module data at {:#x}", address.value);
  ModuleData result{.address = address,
                    .pclntab = pclntab,
                    .text = {{text}, end_of_text - text},
                    .functions = {{min_pc}, max_pc - min_pc},
                    .function_data = {},
                    .types = {},
                    .is_from_1_27 = is_from_1_27(elf, toolchain)};
  const Offsets offsets = offsets_in(toolchain.version, result.is_from_1_27);
  if (offsets.function_data)
    result.function_data = {TRY(module.read_at<std::uint64_t>(*offsets.function_data))};
  const auto types = TRY(module.read_at<std::uint64_t>(offsets.types));
  const auto end_of_types = TRY(module.read_at<std::uint64_t>(offsets.end_of_types));
  if (types < end_of_types)
    result.types = {{types}, end_of_types - types};
  return result;
}

} // namespace

Result<ModuleData> find_module_data(const ElfFile &elf, ElfAddress pclntab,
                                    const ToolchainVersion &toolchain) {
  std::vector<ElfAddress> candidates;
  if (const ElfSection *section = elf.find_section(".go.module"))
    candidates.push_back(section->range.start);
  else if (auto symbol = elf.find_symbol("runtime.firstmoduledata"))
    candidates.push_back(symbol->address);
  else
    candidates = elf.pointers_to(pclntab);

  for (ElfAddress candidate : candidates)
    if (auto module = read_module_data(elf, candidate, pclntab, toolchain))
      return module;
  return fail(Errc::not_found,
              "nothing in it describes the function table at {:#x} "
              "(runtime.firstmoduledata)",
              pclntab.value);
}

} // namespace mapscope
