// Each source adds what those before it do not know.
#include "binary/program_roots.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

#include "binary/code_roots.h"
#include "binary/data_ranges.h"
#include "binary/package_variables.h"
#include "binary/type_descriptors.h"
#include "wire/roots_archive.h"

namespace mapscope {
namespace {

// Addresses that variables are known at, as ranges in their order.
class KnownData {
public:
  explicit KnownData(std::vector<ElfRange> ranges) : ranges_(std::move(ranges)) {
    std::ranges::sort(ranges_);
  }

  bool contains(ElfAddress address) const {
    const auto next = std::ranges::upper_bound(ranges_, address, {}, &ElfRange::start);
    return next != ranges_.begin() &&
           (std::prev(next)->contains(address) || std::prev(next)->start == address);
  }

private:
  std::vector<ElfRange> ranges_;
};

DwarfVariables dwarf_variables(const GoBinary &binary, const TypeDescriptors &types,
                               std::vector<std::string> &warnings) {
  auto read = read_dwarf_variables(binary, types);
  if (!read) {
    if (read.error().code() != Errc::not_found)
      warnings.push_back(fmt::format("its variables have no types: {}", read.error().message()));
    return {};
  }
  std::ranges::move(read->warnings, std::back_inserter(warnings));
  return *std::move(read);
}

void sort_by_address(std::vector<PackageVariable> &variables) {
  std::ranges::sort(variables, {}, [](const PackageVariable &variable) {
    return std::tie(variable.address, variable.name);
  });
}

// A type that the code tells of a variable goes to the one that has a name and no type, where there
// is one.
void add_types_of_code(std::vector<PackageVariable> told, const KnownData &known,
                       std::vector<PackageVariable> &variables) {
  sort_by_address(variables);
  const std::size_t named_count = variables.size();
  for (PackageVariable &variable : told) {
    const std::span named{variables.data(), named_count};
    const auto same =
        std::ranges::lower_bound(named, variable.address, {}, &PackageVariable::address);
    if (same != named.end() && same->address == variable.address &&
        same->size_bytes == variable.size_bytes) {
      if (same->type.value != 0 || same->pointee.value != 0)
        continue;
      same->type = variable.type;
      same->pointee = variable.pointee;
      same->is_slice = variable.is_slice;
      same->evidence = RootEvidence::code;
    } else if (!known.contains(variable.address)) {
      variables.push_back(std::move(variable));
    }
  }
  sort_by_address(variables);
}

} // namespace

Result<ProgramRoots> read_roots(const GoBinary &binary) {
  ProgramRoots roots;
  roots.masked = TRY_WHILE(read_masked_data(binary), "the program's variables");
  const TypeDescriptors types = TRY_WHILE(TypeDescriptors::open(binary), "the program's types");

  DwarfVariables described = dwarf_variables(binary, types, roots.warnings);
  const KnownData known{std::move(described.known)};
  roots.variables = std::move(described.variables);

  std::vector<PackageVariable> symbols = read_symbol_variables(binary, roots.masked);
  const bool has_names = !symbols.empty() || !roots.variables.empty();
  std::erase_if(symbols, [&](const auto &symbol) { return known.contains(symbol.address); });

  std::ranges::move(symbols, std::back_inserter(roots.variables));

  if (binary.elf().machine() == Machine::amd64) {
    CodeRoots code = read_code_roots(binary, types, roots.masked, !has_names);
    roots.closures = std::move(code.closures);
    if (code.is_cut)
      roots.warnings.push_back("not all of its code is looked at: too much of it looks like uses "
                               "of variables");
    roots.uses = std::move(code.uses);
    add_types_of_code(std::move(code.variables), known, roots.variables);
  } else {
    roots.warnings.push_back("what its code tells of closures and variables is not read: that is "
                             "known for amd64 only");
  }
  sort_by_address(roots.variables);
  drop_impossible(roots, {binary.module_data().text, types.range()});
  return roots;
}

} // namespace mapscope
