// Names of structures and members through libdw.
#include "binary/layout_dwarf.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "binary/debug_information.h"

namespace mapscope {
namespace {

class Deadline {
public:
  bool passed() const { return std::chrono::steady_clock::now() > end_; }

private:
  std::chrono::steady_clock::time_point end_ =
      std::chrono::steady_clock::now() + std::chrono::nanoseconds{kDwarfBudgetNs};
};

std::optional<std::uint32_t> small_attribute(Dwarf_Die &die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(&die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0 ||
      value > UINT32_MAX)
    return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

// The type of a member, variable or array element, through typedefs.
std::optional<Dwarf_Die> type_of(Dwarf_Die &die) {
  constexpr int kTypedefsMax = 8; // a hostile file can have a circle of them
  Dwarf_Die type = die;
  for (int i = 0; i < kTypedefsMax; ++i) {
    Dwarf_Attribute attribute;
    if (dwarf_attr(&type, DW_AT_type, &attribute) == nullptr ||
        dwarf_formref_die(&attribute, &type) == nullptr)
      return std::nullopt;
    if (dwarf_tag(&type) != DW_TAG_typedef)
      return type;
  }
  return std::nullopt;
}

struct Member {
  std::uint32_t offset;
  Dwarf_Die die;
};
using Members = std::unordered_map<std::string_view, Member>;

// Resolves names inside structures, and reads the members of each structure once.
class Resolver {
public:
  explicit Resolver(const Deadline &deadline) : deadline_(deadline) {}

  // The offset of "sched.sp" or "central[3].mcentral" in `structure`. What a slice consists
  // of has no name, as in the table.
  std::optional<std::uint32_t> offset_of(Dwarf_Die structure, std::string_view path) {
    std::uint32_t offset = 0;
    for (std::optional<Dwarf_Die> type = structure; type;) {
      auto dot = std::min(path.find('.'), path.size());
      std::string_view name = path.substr(0, dot);
      std::string_view index = name.substr(std::min(name.find('['), name.size()));
      name.remove_suffix(index.size());
      const Members &members = members_of(*type);
      auto member = members.find(name);
      if (member == members.end())
        return std::nullopt;
      offset += member->second.offset;
      Dwarf_Die die = member->second.die;
      if (dot == path.size())
        return offset;
      type = type_of(die);
      if (!index.empty() && type)
        type = element(*type, index, offset);
      path.remove_prefix(dot + 1);
    }
    return std::nullopt;
  }

private:
  // The element type of an array; adds to `offset` where the element "[3]" lies.
  static std::optional<Dwarf_Die> element(Dwarf_Die array, std::string_view index,
                                          std::uint32_t &offset) {
    auto type = type_of(array);
    auto size = type ? small_attribute(*type, DW_AT_byte_size) : std::nullopt;
    if (!size || index.size() != 3) // the table lists eight elements at most
      return std::nullopt;
    offset += *size * static_cast<std::uint32_t>(index[1] - '0');
    return type;
  }

  const Members &members_of(Dwarf_Die structure) {
    auto [entry, is_new] = structures_.try_emplace(dwarf_dieoffset(&structure));
    const char *type_name = dwarf_diename(&structure);
    bool is_slice = type_name != nullptr && std::string_view{type_name}.starts_with("[]");
    Dwarf_Die child;
    if (!is_new || is_slice || dwarf_child(&structure, &child) != 0)
      return entry->second;
    do {
      const char *name = dwarf_diename(&child);
      auto offset = small_attribute(child, DW_AT_data_member_location);
      if (dwarf_tag(&child) == DW_TAG_member && name != nullptr && offset)
        entry->second.try_emplace(name, Member{*offset, child});
    } while (!deadline_.passed() && dwarf_siblingof(&child, &child) == 0);
    return entry->second;
  }

  const Deadline &deadline_; // a hostile file can have a circle of siblings
  std::unordered_map<Dwarf_Off, Members> structures_;
};

// "internal/runtime/maps.Map.used" -> the structure's name and "used"; no path: its size.
std::pair<std::string_view, std::string_view> split(std::string_view name) {
  auto package_end = name.find('.', name.rfind('/') == name.npos ? 0 : name.rfind('/'));
  auto dot = package_end == name.npos ? name.npos : name.find('.', package_end + 1);
  return dot == name.npos ? std::pair{name, std::string_view{}}
                          : std::pair{name.substr(0, dot), name.substr(dot + 1)};
}

// Go until 1.18 has these structures without a name of their own.
std::string_view structure_of_variable(std::string_view variable) {
  return variable == "runtime.work"    ? "runtime.workType"
         : variable == "runtime.mProf" ? "runtime.mProf"
                                       : std::string_view{};
}

using Structures = std::map<std::string_view, std::optional<Dwarf_Die>>;

// Enters what one compilation unit describes of `structures`.
void search_unit(Dwarf_Die unit, Structures &structures, const Deadline &deadline) {
  Dwarf_Die die;
  if (dwarf_child(&unit, &die) != 0)
    return;
  do {
    const char *name = dwarf_diename(&die);
    bool is_structure = dwarf_tag(&die) == DW_TAG_structure_type;
    if (name == nullptr || (!is_structure && dwarf_tag(&die) != DW_TAG_variable))
      continue;
    auto entry =
        structures.find(is_structure ? std::string_view{name} : structure_of_variable(name));
    if (entry != structures.end() && !entry->second)
      entry->second = is_structure ? die : type_of(die);
  } while (!deadline.passed() && dwarf_siblingof(&die, &die) == 0);
}

// All types of a Go program are described in one unit of package runtime; its assembly files
// are other units of that name.
// Go source: cmd/link/internal/ld/dwarf.go, dwarfGenerateDebugInfo.
Structures find_structures(Dwarf &dwarf, std::span<const std::string> names,
                           const Deadline &deadline) {
  Structures structures;
  for (std::string_view name : names)
    structures.emplace(split(name).first, std::nullopt);
  Dwarf_CU *unit = nullptr;
  Dwarf_Die die;
  while (!deadline.passed() &&
         dwarf_get_units(&dwarf, unit, &unit, nullptr, nullptr, &die, nullptr) == 0) {
    const char *name = dwarf_diename(&die);
    if (name != nullptr && std::string_view{name} == "runtime")
      search_unit(die, structures, deadline);
  }
  return structures;
}

} // namespace

Result<LayoutOffsets> read_dwarf_offsets(const ElfFile &elf, std::span<const std::string> names) {
  const DebugInformation debug = TRY(DebugInformation::open(elf));

  Deadline deadline;
  auto structures = find_structures(debug.dwarf(), names, deadline);
  LayoutOffsets offsets;
  Resolver resolver{deadline};
  for (const std::string &name : names) {
    auto [structure, path] = split(name);
    auto &die = structures.find(structure)->second;
    if (!die)
      continue;
    if (auto value =
            path.empty() ? small_attribute(*die, DW_AT_byte_size) : resolver.offset_of(*die, path))
      offsets.emplace(name, *value);
  }
  if (deadline.passed())
    return fail(Errc::unsupported, "reading DWARF takes longer than {} ms",
                kDwarfBudgetNs / 1'000'000);
  if (offsets.empty())
    return fail(Errc::not_found, "the DWARF does not describe package runtime");
  return offsets;
}

} // namespace mapscope
