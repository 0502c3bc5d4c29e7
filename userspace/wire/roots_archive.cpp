// One description of the fields, used in both directions, and what must hold between them.
#include "wire/roots_archive.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "base/user_space.h"

namespace mapscope {

template <> inline constexpr std::uint64_t enumerator_count<RootEvidence> = 3;

namespace {

constexpr std::uint64_t kWordBytes = 8;
constexpr std::uint64_t kVariableBytesMax = 4ULL << 30;

} // namespace

template <typename Archive> void exchange(Archive &archive, Like<PackageVariable> auto &variable) {
  archive(variable.name, variable.address.value, variable.type.value, variable.pointee.value,
          variable.is_slice, variable.count, variable.size_bytes, variable.evidence);
}

template <typename Archive> void exchange(Archive &archive, Like<ClosureCode> auto &closure) {
  archive(closure.entry.value, closure.type.value);
}

template <typename Archive> void exchange(Archive &archive, Like<MaskedData> auto &masked) {
  archive(masked.range.start.value, masked.range.size_bytes, masked.field.value);
}

template <typename Archive> void exchange(Archive &archive, Like<DataUse> auto &use) {
  archive(use.address.value, use.function, use.is_runtime);
}

namespace {

template <typename T>
Result<> read_list(FieldReader &fields, std::vector<T> &list, std::size_t count_max) {
  std::uint64_t count = 0;
  fields(count);
  TRY(fields.status());
  if (count > count_max)
    return fail(Errc::malformed, "a list of {}, {} are allowed", count, count_max);
  for (; count > 0; --count) {
    fields(list.emplace_back());
    TRY(fields.status());
  }
  return {};
}

bool is_possible(const ElfRange &range) {
  return range.start.value != 0 && is_in_user_space(range);
}

bool is_type(ElfAddress address, const RootPlaces &places) {
  return address.value % kWordBytes == 0 && places.types.contains(address);
}

bool is_possible(const PackageVariable &variable, const RootPlaces &places) {
  const auto is_type_or_none = [&](ElfAddress address) {
    return address.value == 0 || is_type(address, places);
  };
  return is_possible(ElfRange{variable.address, variable.size_bytes}) &&
         variable.address.value % kWordBytes == 0 && variable.size_bytes >= kWordBytes &&
         variable.size_bytes <= kVariableBytesMax && variable.count >= 1 &&
         variable.count <= variable.size_bytes / kWordBytes &&
         variable.name.size() <= RootLimits::kNameBytes && is_type_or_none(variable.type) &&
         is_type_or_none(variable.pointee) &&
         (variable.type.value == 0 || variable.pointee.value == 0);
}

bool is_possible(const ClosureCode &closure, const RootPlaces &places) {
  return places.text.contains(closure.entry) && is_type(closure.type, places);
}

bool is_possible(const MaskedData &masked, const RootPlaces &) {
  return is_possible(masked.range) && masked.range.start.value % kWordBytes == 0 &&
         masked.range.size_bytes <= kVariableBytesMax && is_possible(ElfRange{masked.field, 16}) &&
         masked.field.value % kWordBytes == 0;
}

bool is_possible(const DataUse &use, const RootPlaces &) {
  return is_possible(ElfRange{use.address, kWordBytes}) && use.address.value % kWordBytes == 0 &&
         !use.function.empty() && use.function.size() <= RootLimits::kNameBytes;
}

template <typename T, typename Key>
Result<> check_list(const std::vector<T> &list, const RootPlaces &places, const char *what,
                    Key key) {
  if (!std::ranges::is_sorted(list, {}, key))
    return fail(Errc::malformed, "{} are not in the order of addresses", what);
  const auto wrong =
      std::ranges::find_if_not(list, [&](const T &one) { return is_possible(one, places); });
  if (wrong != list.end())
    return fail(Errc::malformed, "{} that no program has, at {:#x}", what,
                std::invoke(key, *wrong).value);
  return {};
}

Result<> check_roots(const ProgramRoots &roots, const RootPlaces &places) {
  TRY(check_list(roots.variables, places, "variables", &PackageVariable::address));
  TRY(check_list(roots.closures, places, "closures", &ClosureCode::entry));
  TRY(check_list(roots.masked, places, "bitmaps of data",
                 [](const MaskedData &masked) { return masked.range.start; }));
  TRY(check_list(roots.uses, places, "uses of data", &DataUse::address));
  const auto is_long = [](const std::string &text) { return text.size() > RootLimits::kNameBytes; };
  if (std::ranges::any_of(roots.warnings, is_long))
    return fail(Errc::malformed, "a warning without end");
  return {};
}

// The first ones of them, with `name_bytes` of names at most.
template <typename T, typename Name>
bool shorten(std::vector<T> &list, std::size_t count_max, Name name) {
  std::size_t kept = 0, bytes = 0;
  for (; kept < std::min(list.size(), count_max); ++kept)
    if ((bytes += std::invoke(name, list[kept]).size()) > RootLimits::kNamesBytes)
      break;
  const bool is_too_long = kept < list.size();
  list.resize(kept);
  return is_too_long;
}

template <typename T> void write_list(FieldWriter &fields, const std::vector<T> &list) {
  fields(std::uint64_t{list.size()});
  for (const T &one : list)
    fields(one);
}

} // namespace

void drop_impossible(ProgramRoots &roots, const RootPlaces &places) {
  const auto is_wrong = [&](const auto &one) { return !is_possible(one, places); };
  std::erase_if(roots.variables, is_wrong);
  std::erase_if(roots.closures, is_wrong);
  std::erase_if(roots.masked, is_wrong);
  std::erase_if(roots.uses, is_wrong);
  std::ranges::sort(roots.masked, {}, [](const MaskedData &one) { return one.range.start; });
  const auto no_name = [](const auto &) { return std::string_view{}; };
  bool is_shortened = shorten(roots.variables, RootLimits::kVariables, &PackageVariable::name);
  is_shortened |= shorten(roots.closures, RootLimits::kClosures, no_name);
  is_shortened |= shorten(roots.uses, RootLimits::kUses, &DataUse::function);
  shorten(roots.masked, RootLimits::kMasked, no_name);
  if (is_shortened)
    roots.warnings.push_back("it has more variables or closures than are looked at");
  for (std::string &warning : roots.warnings)
    warning.resize(std::min(warning.size(), RootLimits::kNameBytes));
  roots.warnings.resize(std::min(roots.warnings.size(), RootLimits::kWarnings));
}

Bytes roots_to_bytes(const ProgramRoots &roots) {
  Bytes bytes;
  FieldWriter fields{bytes};
  write_list(fields, roots.variables);
  write_list(fields, roots.closures);
  write_list(fields, roots.masked);
  write_list(fields, roots.uses);
  write_list(fields, roots.warnings);
  return bytes;
}

Result<ProgramRoots> roots_from_bytes(std::span<const std::byte> bytes, const RootPlaces &places) {
  ProgramRoots roots;
  FieldReader fields{ByteReader{bytes}};
  TRY_WHILE(read_list(fields, roots.variables, RootLimits::kVariables), "variables");
  TRY_WHILE(read_list(fields, roots.closures, RootLimits::kClosures), "closures");
  TRY_WHILE(read_list(fields, roots.masked, RootLimits::kMasked), "bitmaps of data");
  TRY_WHILE(read_list(fields, roots.uses, RootLimits::kUses), "uses of data");
  TRY_WHILE(read_list(fields, roots.warnings, RootLimits::kWarnings), "warnings");
  TRY(fields.finish());
  TRY(check_roots(roots, places));
  return roots;
}

} // namespace mapscope
