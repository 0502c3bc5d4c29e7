// Variables at the top of each unit of DWARF. A variable whose type has no descriptor in the
// program is told in parts that do: pointers and slices by what they point to, structs by their
// members, arrays by their elements.
//
// Go source: cmd/link/internal/ld/dwarf.go, newtype and dwarfVisitFunction; cmd/internal/dwarf.
#include "binary/package_variables.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include <dwarf.h>
#include <elf.h>

#include "binary/debug_information.h"
#include "wire/roots_archive.h"

namespace mapscope {
namespace {

// Attributes of Go's own: cmd/internal/dwarf. The descriptor is an offset from the start of all.
constexpr unsigned kGoKind = 0x2900, kGoRuntimeType = 0x2904;
constexpr std::uint64_t kPointerBytes = 8, kSliceBytes = 24, kInterfaceBytes = 16;

// Against hostile files, which can have circles of types and of siblings.
constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kPartsMax = 4096;             // of one variable
constexpr std::chrono::milliseconds kTimeMax{6000}; // of the wall, on a machine that may be busy

class Deadline {
public:
  // Looks at the clock now and then.
  bool passed() {
    constexpr unsigned kStepsPerLook = 256;
    if (++steps_ % kStepsPerLook == 0)
      has_passed_ |= std::chrono::steady_clock::now() > end_;
    return has_passed_;
  }

private:
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kTimeMax;
  unsigned steps_ = 0;
  bool has_passed_ = false;
};

std::optional<std::uint64_t> number(Dwarf_Die &die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(&die, name, &attribute) == nullptr)
    return std::nullopt;
  if (dwarf_formudata(&attribute, &value) == 0 || dwarf_formaddr(&attribute, &value) == 0)
    return value;
  return std::nullopt;
}

std::optional<Dwarf_Die> referred_type(Dwarf_Die &die) {
  Dwarf_Attribute attribute;
  Dwarf_Die type;
  if (dwarf_attr(&die, DW_AT_type, &attribute) == nullptr ||
      dwarf_formref_die(&attribute, &type) == nullptr)
    return std::nullopt;
  return type;
}

std::string_view name_of(Dwarf_Die &die) {
  const char *name = dwarf_diename(&die);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

// Where a variable lies. Go 1.25 and newer write the place as a plain block, which
// dwarf_getlocation() takes for a list of places.
std::optional<ElfAddress> address_of(Dwarf_Die &variable) {
  Dwarf_Attribute attribute;
  Dwarf_Block block;
  std::uint64_t address;
  if (dwarf_attr(&variable, DW_AT_location, &attribute) == nullptr ||
      dwarf_formblock(&attribute, &block) != 0 || block.length != 1 + sizeof(address) ||
      block.data[0] != DW_OP_addr)
    return std::nullopt;
  std::memcpy(&address, block.data + 1, sizeof(address));
  return ElfAddress{address};
}

// One type as DWARF has it, with what the program itself has of it.
struct DescribedType {
  Dwarf_Die die{}; // behind typedefs
  GoKind kind = GoKind::invalid;
  std::uint64_t size_bytes = 0;
  ElfAddress descriptor; // 0: not linked
  bool has_pointers = true;
};

class TypeReader {
public:
  explicit TypeReader(const TypeDescriptors &types) : types_(types) {}

  const DescribedType &describe(Dwarf_Die type) {
    auto [entry, is_new] = described_.try_emplace(dwarf_dieoffset(&type));
    if (is_new)
      entry->second = read(type);
    return entry->second;
  }

  // Descriptors that were something else than DWARF says: none in any program that the linker
  // made.
  std::size_t contradiction_count() const { return contradictions_; }

private:
  // The program's descriptor and the kind may be told of a typedef or of what it stands for.
  DescribedType read(Dwarf_Die type) {
    constexpr int kTypedefsMax = 8;
    DescribedType result;
    std::uint64_t descriptor = 0;
    for (int i = 0; i < kTypedefsMax; ++i) {
      if (descriptor == 0)
        descriptor = number(type, kGoRuntimeType).value_or(0);
      if (result.kind == GoKind::invalid)
        result.kind =
            static_cast<GoKind>(number(type, kGoKind).value_or(0) & TypeFields::kKindMask);
      if (result.size_bytes == 0)
        result.size_bytes = number(type, DW_AT_byte_size).value_or(0);
      result.die = type;
      const auto next = dwarf_tag(&type) == DW_TAG_typedef ? referred_type(type) : std::nullopt;
      if (!next)
        break;
      type = *next;
    }
    // unsafe.Pointer tells no kind: cmd/internal/dwarf, DW_ABRV_BARE_PTRTYPE.
    if (result.kind == GoKind::invalid && dwarf_tag(&result.die) == DW_TAG_pointer_type)
      result.kind = GoKind::unsafe_pointer;
    if (is_one_pointer(result.kind))
      result.size_bytes = kPointerBytes;
    add_descriptor(result, descriptor);
    return result;
  }

  static bool is_one_pointer(GoKind kind) {
    return kind == GoKind::pointer || kind == GoKind::map || kind == GoKind::channel ||
           kind == GoKind::function || kind == GoKind::unsafe_pointer;
  }

  void add_descriptor(DescribedType &type, std::uint64_t offset) {
    if (offset == 0 || offset >= types_.range().size_bytes)
      return;
    const ElfAddress address{types_.range().start.value + offset};
    const auto header = types_.read(address);
    if (!header || header->kind != type.kind ||
        (type.size_bytes != 0 && header->size_bytes != type.size_bytes)) {
      ++contradictions_;
      return;
    }
    type.descriptor = address;
    type.size_bytes = header->size_bytes;
    type.has_pointers = header->pointer_bytes != 0;
  }

  const TypeDescriptors &types_;
  std::unordered_map<Dwarf_Off, DescribedType> described_;
  std::size_t contradictions_ = 0;
};

class VariableReader {
public:
  explicit VariableReader(const TypeDescriptors &types) : types_(types) {}

  void read_unit(Dwarf_Die unit) {
    Dwarf_Die die;
    if (dwarf_srclang(&unit) != DW_LANG_Go || dwarf_child(&unit, &die) != 0)
      return;
    do {
      if (dwarf_tag(&die) == DW_TAG_variable)
        read_variable(die);
    } while (has_room() && dwarf_siblingof(&die, &die) == 0);
  }

  bool has_room() { return !deadline_.passed() && result_.known.size() < RootLimits::kVariables; }

  DwarfVariables take() && {
    if (!has_room() || result_.variables.size() >= RootLimits::kVariables)
      result_.warnings.push_back("the DWARF has more variables than are looked at");
    // Then the offsets do not mean what they are taken for.
    constexpr std::size_t kContradictionsMax = 16;
    if (types_.contradiction_count() > kContradictionsMax) {
      result_.warnings.push_back(
          fmt::format("{} types of the DWARF contradict those of the program: variables are "
                      "shown without types",
                      types_.contradiction_count()));
      for (PackageVariable &variable : result_.variables)
        variable.type = variable.pointee = {};
    }
    return std::move(result_);
  }

private:
  void read_variable(Dwarf_Die &variable) {
    const auto address = address_of(variable);
    const std::string_view name = name_of(variable);
    const auto type = referred_type(variable);
    if (!address || !type || name.empty() || name.size() > RootLimits::kNameBytes)
      return;
    parts_ = 0;
    const std::uint64_t size_bytes = types_.describe(*type).size_bytes;
    if (size_bytes != 0 && address->value % kPointerBytes == 0) // or else it has no pointers
      add(std::string{name}, *address, *type, 0);
    result_.known.push_back({*address, size_bytes});
  }

  void emit(std::string name, PackageVariable variable) {
    if (name.size() > RootLimits::kNameBytes || result_.variables.size() >= RootLimits::kVariables)
      return;
    variable.name = std::move(name);
    variable.evidence = RootEvidence::dwarf;
    result_.variables.push_back(std::move(variable));
  }

  // What lies at `address`, in parts where that has no descriptor.
  void add(const std::string &name, ElfAddress address, Dwarf_Die die, std::size_t depth) {
    const DescribedType type = types_.describe(die);
    if (depth > kDepthMax || ++parts_ > kPartsMax || deadline_.passed())
      return;
    if (type.descriptor.value != 0) {
      if (type.has_pointers)
        emit(name, {.address = address, .type = type.descriptor, .size_bytes = type.size_bytes});
      return;
    }
    switch (type.kind) {
    case GoKind::structure:
      return add_members(name, address, type, depth);
    case GoKind::array:
      return add_elements(name, address, type, depth);
    default:
      return add_words(name, address, type, 1);
    }
  }

  // Pointers and the like, `count` of them, of a type without a descriptor.
  void add_words(const std::string &name, ElfAddress address, DescribedType type,
                 std::uint64_t count) {
    PackageVariable words{.address = address, .count = count};
    std::optional<Dwarf_Die> pointee;
    switch (type.kind) {
    case GoKind::pointer:
      pointee = referred_type(type.die);
      [[fallthrough]];
    case GoKind::map:
    case GoKind::channel:
    case GoKind::function:
    case GoKind::unsafe_pointer:
      words.size_bytes = count * kPointerBytes;
      break;
    case GoKind::slice:
      words.size_bytes = count * kSliceBytes;
      words.is_slice = true;
      pointee = element_of_slice(type);
      break;
    case GoKind::interface:
      words.size_bytes = count * kInterfaceBytes;
      break;
    default:
      return; // strings hold bytes only
    }
    if (pointee) {
      const DescribedType &target = types_.describe(*pointee);
      if (!target.has_pointers)
        return;
      words.pointee = target.descriptor;
    }
    emit(name, std::move(words));
  }

  static std::optional<Dwarf_Die> element_of_slice(DescribedType type) {
    Dwarf_Die member;
    if (dwarf_child(&type.die, &member) != 0)
      return std::nullopt;
    auto array = referred_type(member); // the first one, a pointer
    return array ? referred_type(*array) : std::nullopt;
  }

  void add_members(const std::string &name, ElfAddress address, DescribedType type,
                   std::size_t depth) {
    Dwarf_Die member;
    if (dwarf_child(&type.die, &member) != 0)
      return;
    do {
      const auto offset = number(member, DW_AT_data_member_location);
      const auto member_type = referred_type(member);
      if (dwarf_tag(&member) == DW_TAG_member && offset && *offset < type.size_bytes && member_type)
        add(fmt::format("{}.{}", name, name_of(member)), {address.value + *offset}, *member_type,
            depth + 1);
    } while (parts_ < kPartsMax && !deadline_.passed() && dwarf_siblingof(&member, &member) == 0);
  }

  void add_elements(const std::string &name, ElfAddress address, DescribedType type,
                    std::size_t depth) {
    const auto element_die = referred_type(type.die);
    if (!element_die)
      return;
    const DescribedType element = types_.describe(*element_die);
    if (element.size_bytes == 0 || !element.has_pointers)
      return;
    const std::uint64_t count = type.size_bytes / element.size_bytes;
    const std::string element_name = name + "[]";
    if (element.descriptor.value != 0)
      return emit(element_name, {.address = address,
                                 .type = element.descriptor,
                                 .count = count,
                                 .size_bytes = count * element.size_bytes});
    if (element.kind != GoKind::structure && element.kind != GoKind::array)
      return add_words(element_name, address, element, count);
    for (std::uint64_t i = 0; i < count && parts_ < kPartsMax && !deadline_.passed(); ++i)
      add(element_name, {address.value + i * element.size_bytes}, *element_die, depth + 1);
  }

  TypeReader types_;
  DwarfVariables result_;
  Deadline deadline_;
  std::size_t parts_ = 0; // of the variable at hand
};

// And not what compiler and linker put beside variables: tables for the runtime, itabs, what starts
// packages, and what type switches remember.
bool is_variable(std::string_view symbol) {
  constexpr std::string_view kFronts[] = {"go:", "go.", "type:", "type.", "runtime.gcbits."};
  constexpr std::string_view kParts[] = {"..inittask", "..typeAssert.", "..interfaceSwitch."};
  return !symbol.empty() && symbol.size() <= RootLimits::kNameBytes &&
         std::ranges::none_of(kFronts, [&](auto front) { return symbol.starts_with(front); }) &&
         std::ranges::none_of(kParts, [&](auto part) { return symbol.contains(part); });
}

} // namespace

Result<DwarfVariables> read_dwarf_variables(const GoBinary &binary, const TypeDescriptors &types) {
  const DebugInformation debug = TRY(DebugInformation::open(binary.elf()));
  VariableReader reader{types};
  Dwarf_CU *unit = nullptr;
  Dwarf_Die die;
  while (reader.has_room() &&
         dwarf_get_units(&debug.dwarf(), unit, &unit, nullptr, nullptr, &die, nullptr) == 0)
    reader.read_unit(die);
  return std::move(reader).take();
}

std::vector<PackageVariable> read_symbol_variables(const GoBinary &binary,
                                                   std::span<const MaskedData> masked) {
  std::vector<PackageVariable> variables;
  const ElfFile &elf = binary.elf();
  const ElfSection *table = elf.find_section(".symtab");
  if (table == nullptr || table->link >= elf.sections().size())
    return variables;
  const ByteReader names{elf.sections()[table->link].bytes};
  ByteReader symbols{table->bytes};
  while (auto symbol = symbols.read<Elf64_Sym>()) {
    const ElfAddress address{symbol->st_value};
    const auto range = std::ranges::find_if(
        masked, [&](const MaskedData &data) { return data.range.contains(address); });
    if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || range == masked.end() ||
        symbol->st_size < kPointerBytes || address.value % kPointerBytes != 0 ||
        symbol->st_size > range->range.end().value - address.value)
      continue;
    const auto name = names.string_at(symbol->st_name);
    if (!name || !is_variable(*name))
      continue;
    variables.push_back({.name = std::string{*name},
                         .address = address,
                         .size_bytes = symbol->st_size,
                         .evidence = RootEvidence::symbol});
    if (variables.size() >= RootLimits::kVariables)
      break;
  }
  return variables;
}

} // namespace mapscope
