// Opening a Go executable, and lookups in it.
#include "binary/go_binary.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace mapscope {
namespace {

constexpr GoVersion kOldest{1, 17, 0};

Result<> check_supported(const BuildInfo &info) {
  const ToolchainVersion &toolchain = info.toolchain;
  if (toolchain.nearness == Nearness::unknown)
    return fail(Errc::unsupported,
                "made by '{}', which names no release of Go: what its runtime looks like is not "
                "known. mapscope reads Go 1.17 and newer",
                printable(toolchain.text));
  if (toolchain.version < kOldest)
    return fail(Errc::unsupported, "made by {}; mapscope reads Go 1.17 and newer",
                printable(toolchain.text));
  if (toolchain.version.major > kOldest.major)
    return fail(Errc::unsupported, "made by {}; mapscope reads Go 1, from 1.17 on",
                printable(toolchain.text));
  auto mode = info.settings.find("-buildmode");
  if (mode != info.settings.end() && mode->second != "exe" && mode->second != "pie")
    return fail(Errc::unsupported,
                "built with -buildmode={}; mapscope reads executables (exe and pie)", mode->second);
  return {};
}

struct Tables {
  ModuleData module_data;
  Pclntab pclntab;
};

// The function table and the module data confirm each other: with several candidates for the
// table, the right one is that which some module data points to.
Result<Tables> find_tables(const ElfFile &elf, const ToolchainVersion &toolchain) {
  Error first{Errc::not_found, "it has no function table (pclntab): mapscope needs the one that "
                               "the Go linker writes, which strip keeps"};
  bool is_first = true;
  for (const PclntabCandidate &candidate : find_pclntab(elf)) {
    auto tables = [&]() -> Result<Tables> {
      auto module = TRY(find_module_data(elf, candidate.address, toolchain));
      auto pclntab = TRY_WHILE(Pclntab::parse(elf, candidate, module), "function table (pclntab)");
      return Tables{module, std::move(pclntab)};
    }();
    if (tables)
      return tables;
    if (std::exchange(is_first, false))
      first = std::move(tables).error();
  }
  return std::unexpected(std::move(first));
}

} // namespace

Result<GoBinary> GoBinary::open(std::span<const std::byte> file, std::string path) {
  auto elf = std::make_unique<const ElfFile>(TRY_WHILE(ElfFile::parse(file), "{}", path));
  auto build_info = TRY_WHILE(read_build_info(*elf), "{}", path);
  TRY_WHILE(check_supported(build_info), "{}", path);
  auto tables = TRY_WHILE(find_tables(*elf, build_info.toolchain), "{}", path);
  return GoBinary{std::move(path), std::move(elf), std::move(build_info), tables.module_data,
                  std::move(tables.pclntab)};
}

GoBinary::GoBinary(std::string path, std::unique_ptr<const ElfFile> elf, BuildInfo build_info,
                   ModuleData module_data, Pclntab pclntab)
    : path_(std::move(path)), elf_(std::move(elf)), build_info_(std::move(build_info)),
      module_data_(module_data), pclntab_(std::move(pclntab)) {}

std::optional<FunctionView> GoBinary::find_function(std::string_view name) const {
  std::optional<FunctionView> wrapper;
  for (const FunctionView &function : functions()) {
    if (function.name != name)
      continue;
    if (!pclntab_.is_wrapper(function).value_or(false))
      return function;
    if (!wrapper)
      wrapper = function;
  }
  return wrapper;
}

std::optional<FunctionView> GoBinary::function_at(ElfAddress address) const {
  const FunctionView *function = pclntab_.function_at(address);
  return function == nullptr ? std::nullopt : std::optional{*function};
}

Result<std::span<const std::byte>> GoBinary::code(ElfRange range) const {
  const ElfRange &text = module_data_.text;
  if (!text.contains(range.start) || range.size_bytes > text.end().value - range.start.value)
    return fail(Errc::malformed, "[{:#x}, +{:#x}) is outside of Go text", range.start.value,
                range.size_bytes);
  return elf_->raw(range);
}

std::vector<SourceFrames> GoBinary::symbolize(std::span<const ElfAddress> addresses) const {
  std::vector<SourceFrames> answers;
  answers.reserve(addresses.size());
  for (ElfAddress address : addresses) {
    auto frames = pclntab_.frames_at(address);
    // Of a function whose tables are damaged, its name is still known.
    answers.push_back(frames ? *std::move(frames)
                             : SourceFrames{{.function = std::string{function_at(address)->name},
                                             .file = {},
                                             .line = 0,
                                             .inlined = false}});
  }
  return answers;
}

} // namespace mapscope
