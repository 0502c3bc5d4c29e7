// Map definitions, as the macros of libbpf's bpf_helpers.h write them: __uint(name, n) is a pointer
// to an array of n elements, __type(name, t) a pointer to t, __ulong(name, n) an enumerator.
#include "binary/btf_maps.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "binary/btf.h"

namespace mapscope {
namespace {

constexpr std::uint32_t kExtern = 2;
// Members that all definitions of an object may have together, so that many variables of one huge
// type can't keep us busy: each costs some hundred nanoseconds.
constexpr std::uint64_t kMembersMax = 1'000'000;

bool is_word_of_counters(std::string_view word) {
  constexpr std::string_view kWords[] = {"count", "counts", "counter", "counters", "cnt", "packets",
                                         "pkts",  "bytes",  "hits",    "total",    "sum"};
  return std::ranges::find(kWords, word) != std::end(kWords);
}

// "rx_bytes" and "count" are, "accounts" is not.
bool is_called_as_counters_are(std::string_view name) {
  while (!name.empty()) {
    const auto end = std::min(name.find('_'), name.size());
    if (is_word_of_counters(name.substr(0, end)))
      return true;
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return false;
}

class DefinitionReader {
public:
  explicit DefinitionReader(const Btf &btf) : btf_(btf) {}

  Result<std::vector<BpfDeclaredMap>> read() {
    TRY(collect_sections_and_tags());
    for (const std::uint32_t section : sections_) {
      const std::uint32_t count = TRY(btf_.type(section)).member_count;
      for (std::uint32_t i = 0; i < count; ++i) {
        TRY(spend(1));
        TRY(read_variable(TRY(btf_.member(section, i)).type));
      }
    }
    return std::move(maps_);
  }

private:
  Result<> spend(std::uint64_t members) {
    spent_ += members;
    if (spent_ > kMembersMax)
      return fail(Errc::malformed, "definitions of more than {} members", kMembersMax);
    return {};
  }

  Result<> collect_sections_and_tags() {
    for (std::uint32_t id = 1; id < btf_.type_count(); ++id) {
      const BtfType type = TRY(btf_.type(id));
      if (type.kind == BtfKind::data_section && type.name == ".maps")
        sections_.push_back(id);
      else if (type.kind == BtfKind::declaration_tag && type.component == -1)
        tags_[type.target].emplace_back(type.name);
    }
    return {};
  }

  Result<> read_variable(std::uint32_t id) {
    const BtfType variable = TRY(btf_.type(id));
    if (variable.kind != BtfKind::variable)
      return fail(Errc::malformed, "BTF type {} in .maps is no variable", id);
    if (variable.linkage == kExtern)
      return {};
    BpfDeclaredMap map{.name = std::string{variable.name}};
    if (const auto tags = tags_.find(id); tags != tags_.end()) {
      TRY(spend(tags->second.size()));
      map.tags = tags->second;
    }
    TRY_WHILE(read_definition(variable.target, std::move(map)), "map {}", variable.name);
    return {};
  }

  Result<> read_definition(std::uint32_t id, BpfDeclaredMap map) {
    id = TRY(btf_.resolve(id));
    const BtfType type = TRY(btf_.type(id));
    if (type.kind != BtfKind::structure)
      return fail(Errc::malformed, "its type is no struct");
    TRY(spend(type.member_count));
    std::optional<std::uint32_t> inner;
    for (std::uint32_t i = 0; i < type.member_count; ++i) {
      const BtfMember member = TRY(btf_.member(id, i));
      if (member.name == "values")
        inner = TRY_WHILE(inner_definition(member.type), "values");
      else
        TRY_WHILE(read_member(member, map), "{}", member.name);
    }
    if (!inner) {
      maps_.push_back(std::move(map));
      return {};
    }
    map.has_inner = true;
    map.value_bytes = 4; // a descriptor, whatever is declared
    BpfDeclaredMap held{.name = map.name + ".inner", .is_inner = true, .tags = map.tags};
    const bool is_nested = map.is_inner;
    maps_.push_back(std::move(map));
    if (is_nested)
      return fail(Errc::malformed, "a map of maps of maps, which no kernel has");
    return read_definition(*inner, std::move(held));
  }

  // `values` is an array of pointers, to the definition of what the map holds or, in a program
  // array, to functions. Absent: functions.
  Result<std::optional<std::uint32_t>> inner_definition(std::uint32_t id) {
    const BtfType array = TRY(btf_.type(TRY(btf_.resolve(id))));
    if (array.kind != BtfKind::array)
      return fail(Errc::malformed, "no array");
    const BtfType pointer = TRY(btf_.type(TRY(btf_.resolve(array.target))));
    if (pointer.kind != BtfKind::pointer)
      return fail(Errc::malformed, "no array of pointers");
    const std::uint32_t target = TRY(btf_.resolve(pointer.target));
    if (TRY(btf_.type(target)).kind == BtfKind::prototype)
      return std::nullopt;
    return target;
  }

  Result<> read_member(const BtfMember &member, BpfDeclaredMap &map) {
    if (member.name == "type")
      map.type_number = TRY(number(member.type));
    else if (member.name == "max_entries")
      map.max_entries = TRY(number(member.type));
    else if (member.name == "map_flags")
      map.flags = TRY(number(member.type));
    else if (member.name == "key_size")
      map.key_bytes = TRY(number(member.type));
    else if (member.name == "value_size")
      map.value_bytes = TRY(number(member.type));
    else if (member.name == "pinning")
      map.is_pinned = TRY(number(member.type)) != 0;
    else if (member.name == "map_extra")
      map.extra = TRY(wide_number(member.type));
    else if (member.name == "key")
      TRY(read_type(member.type, map.key_type, map.key_bytes));
    else if (member.name == "value")
      TRY(read_type(member.type, map.value_type, map.value_bytes));
    return {}; // others are for other loaders
  }

  Result<std::uint32_t> number(std::uint32_t id) {
    const BtfType pointer = TRY(btf_.type(TRY(btf_.resolve(id))));
    if (pointer.kind != BtfKind::pointer)
      return fail(Errc::malformed, "no number, which would be a pointer to an array");
    const BtfType array = TRY(btf_.type(TRY(btf_.resolve(pointer.target))));
    if (array.kind != BtfKind::array)
      return fail(Errc::malformed, "no number, which would be a pointer to an array");
    return array.element_count;
  }

  Result<std::uint64_t> wide_number(std::uint32_t id) {
    const std::uint32_t resolved = TRY(btf_.resolve(id));
    const BtfKind kind = TRY(btf_.type(resolved)).kind;
    if (kind == BtfKind::enumeration || kind == BtfKind::enumeration64)
      return btf_.enumerator(resolved, 0);
    return TRY(number(id));
  }

  Result<> read_type(std::uint32_t id, std::optional<BpfDeclaredType> &type,
                     std::optional<std::uint32_t> &bytes) {
    const BtfType pointer = TRY(btf_.type(TRY(btf_.resolve(id))));
    if (pointer.kind != BtfKind::pointer)
      return fail(Errc::malformed, "no pointer to a type");
    const std::uint64_t size = TRY(btf_.size_of(pointer.target));
    if (size > UINT32_MAX)
      return fail(Errc::malformed, "a type of {} bytes", size);
    if (bytes && *bytes != size)
      return fail(Errc::malformed, "its size is declared as {} and is {} by its type", *bytes,
                  size);
    bytes = static_cast<std::uint32_t>(size);
    const std::uint32_t resolved = TRY(btf_.resolve(pointer.target));
    const BtfKind kind = TRY(btf_.type(resolved)).kind;
    type = BpfDeclaredType{.name = TRY(btf_.c_name(pointer.target)),
                           .bytes = size,
                           .is_integer = kind == BtfKind::integer || kind == BtfKind::enumeration ||
                                         kind == BtfKind::enumeration64};
    if (kind == BtfKind::structure)
      type->counter_member = TRY(counter_member(resolved));
    return {};
  }

  Result<std::string> counter_member(std::uint32_t id) {
    const std::uint32_t count = TRY(btf_.type(id)).member_count;
    TRY(spend(count));
    for (std::uint32_t i = 0; i < count; ++i) {
      const BtfMember member = TRY(btf_.member(id, i));
      const BtfKind kind = TRY(btf_.type(TRY(btf_.resolve(member.type)))).kind;
      if (kind == BtfKind::integer && is_called_as_counters_are(member.name))
        return std::string{member.name};
    }
    return std::string{};
  }

  const Btf &btf_;
  std::vector<std::uint32_t> sections_;
  std::map<std::uint32_t, std::vector<std::string>> tags_; // by what they are on
  std::vector<BpfDeclaredMap> maps_;
  std::uint64_t spent_ = 0;
};

} // namespace

Result<std::vector<BpfDeclaredMap>> read_btf_maps(std::span<const std::byte> section) {
  const Btf btf = TRY(Btf::parse(section));
  return DefinitionReader{btf}.read();
}

} // namespace mapscope
