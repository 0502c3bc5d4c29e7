// Puts together what the parts of binary/ found out.
#include "binary/read_facts.h"

#include "base/user_space.h"
#include "binary/layout_lookup.h"
#include "binary/probe_points.h"
#include "binary/probe_text.h"
#include "binary/runtime_globals.h"
#include "binary/runtime_variables.h"
#include "go/unknown_release.h"

namespace mapscope {
namespace {

bool uses_pgo(const BuildInfo &info) {
  auto setting = info.settings.find("-pgo");
  return setting != info.settings.end() && !setting->second.empty() && setting->second != "off";
}

} // namespace

Result<BinaryFacts> read_facts(const GoBinary &binary) {
  const ElfFile &elf = binary.elf();
  const BuildInfo &info = binary.build_info();

  BinaryFacts facts;
  facts.path = binary.path();
  facts.build_id = elf.build_id();
  facts.file_size_bytes = elf.size_bytes();
  facts.machine = elf.machine();
  facts.is_pie = elf.is_pie();
  facts.is_stripped = elf.find_section(".symtab") == nullptr;
  facts.has_dwarf = elf.find_section(".debug_info") != nullptr ||
                    elf.find_section(".zdebug_info") != nullptr; // compressed, until Go 1.18
  facts.entry = elf.entry();
  facts.entry_offset = TRY_WHILE(elf.file_offset(facts.entry), "entry point");

  facts.go_version = info.toolchain.text;
  facts.version = info.toolchain.version;
  facts.experiments = info.toolchain.experiments;
  facts.build_settings = info.settings;
  facts.main_module = info.main_module;
  // Where C calls into Go; package runtime/cgo brings it along, and every link with C needs that.
  facts.uses_cgo = binary.find_function("crosscall2").has_value();
  facts.uses_pgo = uses_pgo(info);

  facts.function_count = binary.functions().size();
  facts.text = find_go_text(binary);
  facts.module_data = binary.module_data().address;
  if (auto address = find_all_goroutines(binary))
    facts.all_goroutines = *address;
  else
    facts.warnings.push_back("where the runtime lists its goroutines is not known from the binary: "
                             "of those that misuse a map together, only the ones that report it "
                             "are told");
  if (info.was_removed)
    facts.warnings.push_back("its build information was removed: the release is the one that its "
                             "runtime names, and how it was built is not known");
  // Each plugin brings tables and types of its own, and the process alone knows which are loaded.
  if (binary.find_function("plugin.open"))
    facts.warnings.push_back(
        "it can load plugins: their code is not probed, and maps of types that "
        "only a plugin has are shown without their type");
  facts.layout = find_layout(binary, facts.warnings);
  facts.is_known_release = is_known_release(binary);
  if (std::string gap = missing_layout(facts); !gap.empty())
    facts.warnings.push_back(std::move(gap));
  else if (!facts.is_known_release)
    facts.warnings.push_back(supposed_rules(facts));
  facts.zeroed_data = find_zeroed_data(elf);
  if (is_in_user_space(binary.module_data().types))
    facts.types = binary.module_data().types;
  TRY(fill_probe_points(binary, facts));
  facts.variables = find_runtime_variables(binary, facts);
  return facts;
}

} // namespace mapscope
