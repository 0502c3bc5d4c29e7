// A function table behind a sound ELF header and module data.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "binary/pclntab.h"
#include "fuzz/fuzz_target.h"
#include "support/synthetic_go.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(pclntab_fuzz, data, size_bytes) {
  static SyntheticGo program;
  static const auto file = program.make();
  static const auto elf = ElfFile::parse(file);
  const ModuleData module{.address = {},
                          .pclntab = {SyntheticGo::kBase},
                          .text = {program.text(), 32},
                          .functions = {program.text(), 32},
                          .function_data = {SyntheticGo::kBase}};
  const auto bytes = std::as_bytes(std::span{data, size_bytes});
  const auto table = Pclntab::parse(*elf, {{SyntheticGo::kBase}, bytes}, module);
  if (!table)
    return 0;
  for (std::uint64_t at = 0; at < 32; ++at)
    (void)table->frames_at({program.text().value + at});
  for (const FunctionView &function : table->functions()) {
    (void)table->inlined_calls(function);
    (void)table->is_wrapper(function);
    if (table->function_at(function.range.start) == nullptr && function.range.size_bytes != 0)
      std::abort();
  }
  return 0;
}
