// Lines of Go for each cause.
#include "judge/map_advice.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/format.h"
#include "go/size_classes.h"
#include "judge/map_defects.h"
#include "judge/struct_order.h"

namespace mapscope {

namespace {

constexpr std::uint64_t kNoHintMax = 8; // make(T, 8) is make(T)

struct Advice {
  const MapEvidenceOfWaste &map;
  const std::string &type;
  const MapOwner &owner;
  const MapSite &site;

  // A frame on a stack holds maps, but its name is none of a map.
  bool is_held_by_frame() const {
    return owner.root_class == OwnerClass::goroutine &&
           (owner.holder == owner.root || owner.holder == owner.path);
  }

  // "rebuild main.store.shards[].entries: "
  std::string named() const {
    return owner.holder.empty()
               ? std::string{}
               : fmt::format("rebuild {}{}: ", owner.holder, is_held_by_frame() ? "'s map" : "");
  }

  // The same behind "after emptying it".
  std::string after_emptying() const {
    return "after emptying it" + (owner.holder.empty() ? ": " : ", " + named());
  }

  // Of samples of this very map: those of maps alike may be from elsewhere.
  const SourceFrame *seen(SiteKind kind) const {
    if (site.is_of_pattern)
      return nullptr;
    auto share = std::ranges::find(site.shares, kind, &SiteShare::kind);
    return share == site.shares.end() ? nullptr : &share->frame;
  }

  static std::string line_of(const SourceFrame &frame) {
    if (frame.file.empty() || frame.line == 0)
      return frame.function;
    return fmt::format("{}:{} ({})", frame.file.substr(frame.file.rfind('/') + 1), frame.line,
                       frame.function);
  }

  std::string where_made() const {
    std::string text = owner.holder.empty() || is_held_by_frame()
                           ? "where it is made"
                           : fmt::format("where {} is made", owner.holder);
    if (const SourceFrame *frame = seen(SiteKind::created))
      text += ", at " + line_of(*frame);
    return text;
  }

  std::string make() const {
    std::string name = type.empty() ? "map[K]V" : type;
    std::uint64_t len = map.map.len;
    return len <= kNoHintMax ? fmt::format("make({})", name)
                             : fmt::format("make({}, {})", name, hint_for(len, map.rebuild));
  }

  std::string freed() const {
    if (!map.reclaimable_bytes || *map.reclaimable_bytes == 0)
      return {};
    return fmt::format(" frees {}", format_bytes(*map.reclaimable_bytes));
  }

  std::string rebuild() const {
    if (map.map.len == 0)
      return fmt::format("m = {}{}", make(), freed());
    std::string_view copy =
        map.version >= GoVersion{1, 21} ? "maps.Copy(m2, m)" : "for k, v := range m { m2[k] = v }";
    return fmt::format("m2 := {}; {}; m = m2{}", make(), copy, freed());
  }

  std::string emptied() const {
    std::string text = after_emptying() + rebuild();
    if (auto defect = tombstone_defect(map); defect && map.map.len == 0)
      text += fmt::format("; known defect: {} (fixed in {})", defect->what, defect->fixed_in);
    return text;
  }

  std::string saved() const {
    if (!map.reclaimable_bytes || *map.reclaimable_bytes == 0)
      return {};
    return fmt::format(" saves {}", format_bytes(*map.reclaimable_bytes));
  }

  std::string mostly_empty() const {
    return fmt::format("if it never holds more: {} {}; else, {}{}", make(), where_made(),
                       after_emptying(), rebuild());
  }

  std::string tombstones() const {
    std::string text = named() + rebuild();
    if (map.version >= GoVersion{1, 21} && map.map.len != 0)
      text += "; to delete every entry, clear(m) leaves none of them";
    if (auto defect = tombstone_defect(map); defect && !defect->fixed_in.empty())
      text += "; " + defect->fixed_in + " clears more of them by itself";
    return text;
  }

  std::string old_buckets() const {
    const MapSample &sample = map.map;
    // A growth to as many buckets clears chains away; no hint prevents that.
    const bool doubles = sample.old_buckets * 8 < sample.slots;
    std::string text =
        doubles ? fmt::format("{} {} spares it the growth", make(), where_made()) : std::string{};
    if (sample.evacuated_buckets < sample.old_buckets)
      text += fmt::format(
          "{}{} would finish this one", text.empty() ? "" : "; ",
          format_counted((sample.old_buckets - sample.evacuated_buckets + 1) / 2, "write"));
    return text;
  }

  std::string defect() const {
    auto known = map.is_classic ? early_growth_defect(map) : tombstone_defect(map);
    if (!known)
      return {};
    if (!known->fixed_in.empty())
      return fmt::format("known defect of go1.{}: build with {} or newer{}", map.version.minor,
                         known->fixed_in,
                         map.is_classic ? "" : "; until then: " + named() + rebuild());
    return fmt::format("known defect of go1.{}, in no release fixed: {}{}", map.version.minor,
                       named(), rebuild());
  }

  std::string no_hint() const {
    std::string text = fmt::format("{} {} spares it that", make(), where_made());
    if (const SourceFrame *frame = seen(SiteKind::grew))
      text += "; it grew at " + line_of(*frame);
    return text;
  }

  std::string padding() const {
    if (map.candidates.size() != 1)
      return {};
    const MapTypeLayout &layout = *map.candidates.front();
    auto key = better_struct_order(layout.key), element = better_struct_order(layout.element);
    std::string text;
    auto add = [&text](const GoType &of, const StructOrder &order) {
      std::string fields;
      for (const GoField &field : order.fields)
        fields += fmt::format("{}{} {}", fields.empty() ? "" : "; ", field.name, field.type_name);
      text += fmt::format("{}type {} struct {{ {} }} is {} instead of {} bytes",
                          text.empty() ? "" : ", and ", local_name(of.name), fields,
                          order.size_bytes, of.size_bytes);
    };
    if (key)
      add(layout.key, *key);
    if (element && layout.element.name != layout.key.name)
      add(layout.element, *element);
    if (text.empty())
      return {};
    std::uint64_t saved = saved_bytes_per_slot(layout, key, element);
    if (saved == 0)
      return text;
    return fmt::format("{}: {} less for each entry, {} in all", text, format_counted(saved, "byte"),
                       format_bytes(saved * map.map.slots));
  }

  // "Point" of "main.Point"; anonymous structs and shapes have no name to declare.
  static std::string local_name(const std::string &name) {
    if (name.starts_with("struct") || name.starts_with("go.shape."))
      return "T";
    auto dot = name.substr(0, name.find('[')).rfind('.');
    return dot == std::string::npos ? name : name.substr(dot + 1);
  }

  static std::uint64_t aligned(std::uint64_t bytes, std::uint64_t alignment) {
    return alignment < 2 ? bytes : (bytes + alignment - 1) / alignment * alignment;
  }

  // Of the group: alignment may swallow what the struct saves.
  static std::uint64_t saved_bytes_per_slot(const MapTypeLayout &layout,
                                            const std::optional<StructOrder> &key,
                                            const std::optional<StructOrder> &element) {
    std::uint64_t key_bytes =
        key && !layout.type.key_is_indirect ? key->size_bytes : layout.key_bytes_in_group();
    std::uint64_t element_bytes = element && !layout.type.element_is_indirect
                                      ? element->size_bytes
                                      : layout.element_bytes_in_group();
    std::uint64_t slot = key_bytes + element_bytes;
    if (!layout.is_split()) {
      std::uint64_t key_alignment = layout.type.key_is_indirect ? 8 : layout.key.alignment;
      std::uint64_t element_alignment =
          layout.type.element_is_indirect ? 8 : layout.element.alignment;
      slot = aligned(aligned(key_bytes, element_alignment) + element_bytes,
                     std::max(key_alignment, element_alignment));
    }
    return layout.bytes_per_slot() > slot ? layout.bytes_per_slot() - slot : 0;
  }
};

} // namespace

std::uint64_t hint_for(std::uint64_t len, const MapRebuild &rebuild) {
  if (len <= kNoHintMax)
    return len;
  const auto slots = rebuild.slots(len);
  for (const std::uint64_t digits : {100u, 1000u}) {
    std::uint64_t unit = 1;
    while (len / unit >= digits)
      unit *= 10;
    std::uint64_t rounded = (len + unit - 1) / unit * unit;
    if (rebuild.slots(rounded) == slots)
      return rounded;
  }
  return len;
}

std::string advice_for(const MapFinding &finding, const MapEvidenceOfWaste &map,
                       const std::string &type, const MapOwner &owner, const MapSite &site) {
  if (finding.cause != MapCause::none && owner.reach == Reach::unreachable)
    return "nothing leads to it any more: the next collection frees it";
  Advice advice{map, type, owner, site};
  switch (finding.cause) {
  case MapCause::none:
    return {};
  case MapCause::emptied:
    return advice.emptied();
  case MapCause::over_hinted:
    return fmt::format("{} {}{}", advice.make(), advice.where_made(), advice.saved());
  case MapCause::no_hint:
    return advice.no_hint();
  case MapCause::mostly_empty:
    return advice.mostly_empty();
  case MapCause::tombstones:
    return advice.tombstones();
  case MapCause::overflow:
    return advice.named() + advice.rebuild();
  case MapCause::old_buckets:
    return advice.old_buckets();
  case MapCause::padding:
    return advice.padding();
  case MapCause::known_defect:
    return advice.defect();
  }
  return {};
}

} // namespace mapscope
