// The order of trust: a measured toolchain, DWARF, the nearest patch release.
#include "binary/layout_lookup.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "binary/layout_dwarf.h"
#include "binary/layout_table.h"

namespace mapscope {
namespace {

// Some 50 ms: the Go compiler, an executable of 31 MB with 2.5 MiB of this, takes 40.
constexpr std::uint64_t kQuickDwarfBytesMax = 3 << 20;

// Without these nothing is attributed to a goroutine: a DWARF that lacks them decides nothing.
constexpr std::string_view kIndispensable[] = {"runtime.g.goid", "runtime.g.m", "runtime.m.curg"};

std::uint64_t dwarf_bytes(const ElfFile &elf) {
  for (std::string_view name : {".debug_info", ".zdebug_info"})
    if (const ElfSection *section = elf.find_section(name))
      return section->bytes.size();
  return 0;
}

// The first name that both know and give different values; absent where they agree.
std::optional<std::string> find_disagreement(const LayoutOffsets &dwarf,
                                             const LayoutOffsets &table) {
  for (const auto &[name, offset] : dwarf)
    if (auto entry = table.find(name); entry != table.end() && entry->second != offset)
      return fmt::format("{} is at {} and not at {}", name, offset, entry->second);
  return std::nullopt;
}

RuntimeLayout table_layout(const GoBinary &binary) {
  const ToolchainVersion &toolchain = binary.build_info().toolchain;
  if (toolchain.nearness == Nearness::development)
    return {};
  auto layout = layout_for(toolchain.version, binary.elf().machine(), toolchain.experiments);
  if (layout.source == LayoutSource::table && toolchain.nearness != Nearness::release)
    layout.source = LayoutSource::nearest;
  return layout;
}

} // namespace

RuntimeLayout find_layout(const GoBinary &binary, std::vector<std::string> &warnings) {
  const ToolchainVersion &toolchain = binary.build_info().toolchain;
  auto layout = table_layout(binary);
  bool measured = layout.source == LayoutSource::table;
  if (measured && dwarf_bytes(binary.elf()) > kQuickDwarfBytesMax)
    return layout;

  auto offsets = read_dwarf_offsets(binary.elf(), layout_names());
  bool sufficient = offsets && std::ranges::all_of(kIndispensable, [&](std::string_view name) {
                      return offsets->contains(name);
                    });
  if (!sufficient)
    return layout;
  if (auto difference = find_disagreement(*offsets, layout.offsets); difference && measured)
    warnings.push_back(fmt::format("this binary was not built with the {} that was released: in "
                                   "its DWARF {}; its DWARF is believed",
                                   toolchain.text, *difference));
  offsets->merge(layout.offsets); // keeps what the DWARF says
  return {.source = LayoutSource::dwarf, .version = toolchain.text, .offsets = *std::move(offsets)};
}

bool is_known_release(const GoBinary &binary) {
  return table_layout(binary).source != LayoutSource::none;
}

} // namespace mapscope
