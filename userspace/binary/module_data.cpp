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

// Where moduledata.gofunc lies; absent in 1.17, whose funcdata are pointers. A development
// version says nothing of its age, so the size of the structure decides.
std::optional<std::uint64_t> function_data_offset(const ElfFile &elf, GoVersion version) {
  if (version.minor == 0) {
    const ElfSection *section = elf.find_section(".go.module");
    return section != nullptr && section->range.size_bytes < kSizeInGo126 ? 344 : 320;
  }
  if (version.minor == 17)
    return std::nullopt;
  return version.minor <= 19 ? 304 : version.minor <= 26 ? 320 : 344;
}

Result<ModuleData> read_module_data(const ElfFile &elf, ElfAddress address, ElfAddress pclntab,
                                    GoVersion version) {
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
                    .function_data = {}};
  if (auto offset = function_data_offset(elf, version))
    result.function_data = {TRY(module.read_at<std::uint64_t>(*offset))};
  return result;
}

} // namespace

Result<ModuleData> find_module_data(const ElfFile &elf, ElfAddress pclntab, GoVersion version) {
  std::vector<ElfAddress> candidates;
  if (const ElfSection *section = elf.find_section(".go.module"))
    candidates.push_back(section->range.start);
  else if (auto symbol = elf.find_symbol("runtime.firstmoduledata"))
    candidates.push_back(symbol->address);
  else
    candidates = elf.pointers_to(pclntab);

  for (ElfAddress candidate : candidates)
    if (auto module = read_module_data(elf, candidate, pclntab, version))
      return module;
  return fail(Errc::not_found,
              "nothing in it describes the function table at {:#x} "
              "(runtime.firstmoduledata)",
              pclntab.value);
}

} // namespace mapscope
