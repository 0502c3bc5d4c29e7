// Both sides sorted by identity, and then walked together.
#include "report/maps_diff.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/json_writer.h"
#include "report/maps_summary.h"
#include "report/maps_words.h"
#include "report/terminal.h"

namespace mapscope {

namespace {

constexpr std::size_t kTypesShown = 20;

std::uint64_t distance(std::uint64_t one, std::uint64_t other) {
  return one > other ? one - other : other - one;
}

bool comes_first(const DiffMap &one, const DiffMap &other) {
  return std::tuple(one.address.value, one.seed) < std::tuple(other.address.value, other.seed);
}

std::string type_of(const MapsLook &look, const DiffMap &map) {
  return map.type < look.types.size() ? look.types[map.type] : std::string{};
}

void add(const DiffMap &map, DiffTotals &totals) {
  ++totals.maps;
  totals.entries += map.len;
  totals.bytes += map.bytes;
  totals.reclaimable_bytes += map.reclaimable_bytes.value_or(0);
}

// A map of either side or both.
struct Pair {
  const DiffMap *before = nullptr, *after = nullptr;

  std::uint64_t bytes_changed() const {
    return distance(before ? before->bytes : 0, after ? after->bytes : 0);
  }
  std::uint64_t entries_changed() const {
    return distance(before ? before->len : 0, after ? after->len : 0);
  }
  bool is_changed() const {
    return !before || !after || bytes_changed() != 0 || entries_changed() != 0;
  }

  void add_to(TypeDiff &type) const {
    if (before)
      add(*before, type.before);
    if (after)
      add(*after, type.after);
    auto numbers = [](const DiffMap &map) { return std::tuple(map.bytes, map.len); };
    ++(!before                              ? type.appeared
       : !after                             ? type.gone
       : numbers(*before) < numbers(*after) ? type.grown
       : numbers(*after) < numbers(*before) ? type.shrunk
                                            : type.unchanged);
  }
};

std::vector<Pair> pairs_of(const std::vector<DiffMap> &before, const std::vector<DiffMap> &after) {
  std::vector<Pair> pairs;
  std::size_t i = 0, j = 0;
  while (i < before.size() || j < after.size()) {
    if (j == after.size() || (i < before.size() && comes_first(before[i], after[j])))
      pairs.push_back({.before = &before[i++]});
    else if (i == before.size() || comes_first(after[j], before[i]))
      pairs.push_back({.after = &after[j++]});
    else
      pairs.push_back({.before = &before[i++], .after = &after[j++]});
  }
  return pairs;
}

std::uint64_t change_of(const TypeDiff &type) {
  return distance(type.before.bytes, type.after.bytes);
}

} // namespace

MapsDiff compare_maps(MapsLook &before, MapsLook &after, std::size_t top) {
  std::ranges::sort(before.maps, comes_first);
  std::ranges::sort(after.maps, comes_first);
  std::vector<Pair> pairs = pairs_of(before.maps, after.maps);
  // A type that became known later is the type of the map.
  auto name_of_pair = [&](const Pair &pair) {
    std::string name = pair.after ? type_of(after, *pair.after) : std::string{};
    return name.empty() && pair.before ? type_of(before, *pair.before) : name;
  };
  MapsDiff diff;
  std::map<std::string, TypeDiff> types;
  for (const Pair &pair : pairs) {
    pair.add_to(diff.all);
    pair.add_to(types[name_of_pair(pair)]);
  }
  for (auto &[name, type] : types) {
    type.type = name;
    if (type.appeared + type.gone + type.grown + type.shrunk != 0)
      diff.types.push_back(type);
  }
  std::ranges::stable_sort(diff.types, std::ranges::greater{}, change_of);

  std::erase_if(pairs, [](const Pair &pair) { return !pair.is_changed(); });
  diff.changed = pairs.size();
  std::ranges::stable_sort(pairs, [](const Pair &one, const Pair &other) {
    return std::tuple(one.bytes_changed(), one.entries_changed()) >
           std::tuple(other.bytes_changed(), other.entries_changed());
  });
  if (top != 0 && pairs.size() > top)
    pairs.resize(top);
  for (const Pair &pair : pairs) {
    ChangedMap changed{.address = (pair.after ? pair.after : pair.before)->address,
                       .type = name_of_pair(pair)};
    if (pair.before)
      changed.before = *pair.before;
    if (pair.after)
      changed.after = *pair.after;
    diff.maps.push_back(std::move(changed));
  }
  return diff;
}

namespace {

// "+1.50 MiB", "-12.0 KiB", "0 B".
std::string signed_bytes(std::uint64_t before, std::uint64_t after) {
  std::string text = format_bytes(distance(before, after));
  return before == after ? text : (before < after ? "+" : "-") + text;
}

std::string signed_count(std::uint64_t before, std::uint64_t after) {
  std::string text = format_count(distance(before, after));
  return before == after ? text : (before < after ? "+" : "-") + text;
}

std::string look_text(const MapsLook &look) {
  std::string text = printable(look.source);
  if (std::string time = time_text(look.wall_time_ns); !time.empty())
    text += ", " + time;
  return text;
}

std::string from_to(std::uint64_t before, std::uint64_t after,
                    std::string (*format)(std::uint64_t)) {
  if (before == after)
    return format(after);
  return fmt::format("{} -> {} ({}{})", format(before), format(after), before < after ? "+" : "-",
                     format(distance(before, after)));
}

std::string_view word_for(const ChangedMap &map) {
  if (!map.before)
    return "appeared";
  if (!map.after)
    return "gone";
  auto numbers = [](const DiffMap &one) { return std::tuple(one.bytes, one.len); };
  return numbers(*map.before) < numbers(*map.after) ? "grown" : "shrunk";
}

void append_head(const MapsLook &before, const MapsLook &after, const MapsDiff &diff, bool colour,
                 std::string &out) {
  auto row = [&](std::string_view label, std::string_view text) {
    append_labelled(label, text, colour, out);
  };
  out += coloured(wrapped(printable(after.process), 0, 4), Colour::bold, colour) + "\n";
  row("before", look_text(before));
  row("after", look_text(after));
  if (before.process != after.process)
    row("note", "before, it was another process: " + printable(before.process));
  const TypeDiff &all = diff.all;
  row("maps", from_to(all.before.maps, all.after.maps, format_count));
  row("", fmt::format("{} appeared, {} gone, {} grown, {} shrunk, {} as before",
                      format_count(all.appeared), format_count(all.gone), format_count(all.grown),
                      format_count(all.shrunk), format_count(all.unchanged)));
  row("entries", from_to(all.before.entries, all.after.entries, format_count));
  row("bytes", from_to(all.before.bytes, all.after.bytes, format_bytes));
  row("reclaimable",
      from_to(all.before.reclaimable_bytes, all.after.reclaimable_bytes, format_bytes));
  if (before.unsettled + after.unsettled != 0)
    row("not seen",
        fmt::format("{} before and {} after changed faster than could be read: they "
                    "may be among those that appeared or are gone",
                    format_counted(before.unsettled, "map"), format_count(after.unsettled)));
}

void append_types(const MapsDiff &diff, bool colour, std::string &out) {
  if (diff.types.empty())
    return;
  out += "\n" +
         coloured(fmt::format("{:>10} {:>12} {:>9} {:>9} {:>9} {:>9}  {}", "BYTES", "ENTRIES",
                              "APPEARED", "GONE", "GROWN", "SHRUNK", "TYPE"),
                  Colour::dim, colour) +
         "\n";
  const std::size_t shown = std::min(diff.types.size(), kTypesShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const TypeDiff &type = diff.types[i];
    std::string name = type.type.empty() ? "unknown" : printable(type.type);
    out +=
        fmt::format("{:>10} {:>12} {:>9} {:>9} {:>9} {:>9}{}{}\n",
                    signed_bytes(type.before.bytes, type.after.bytes),
                    signed_count(type.before.entries, type.after.entries),
                    format_count(type.appeared), format_count(type.gone), format_count(type.grown),
                    format_count(type.shrunk), name.size() > 15 ? "\n  " : "  ", cut_to(name, 78));
  }
  if (diff.types.size() > shown)
    out += fmt::format("{} more types; --json has them\n", format_count(diff.types.size() - shown));
}

void append_maps(const MapsDiff &diff, bool colour, std::string &out) {
  if (diff.maps.empty())
    return;
  out += "\n" +
         coloured(fmt::format("{:>10} {:>9} {:>12} {:>12}  {:<8} {}", "BYTES", "NOW", "ENTRIES",
                              "NOW", "CHANGE", "ADDRESS"),
                  Colour::dim, colour) +
         "\n";
  for (const ChangedMap &map : diff.maps) {
    const DiffMap before = map.before.value_or(DiffMap{}), after = map.after.value_or(DiffMap{});
    std::string name = map.type.empty() ? "unknown" : printable(map.type);
    out += fmt::format("{:>10} {:>9} {:>12} {:>12}  {:<8} {:#x}\n  {}\n",
                       signed_bytes(before.bytes, after.bytes), format_bytes(after.bytes),
                       signed_count(before.len, after.len), format_count(after.len), word_for(map),
                       map.address.value, cut_to(name, 78));
  }
  if (diff.changed > diff.maps.size())
    out += fmt::format("{} more maps changed; --top N shows more, --top 0 all of them\n",
                       format_count(diff.changed - diff.maps.size()));
}

void append_totals(const DiffTotals &totals, JsonWriter &json) {
  json.open_object();
  json.key("maps").number(totals.maps);
  json.key("entries").number(totals.entries);
  json.key("bytes").number(totals.bytes);
  json.key("reclaimable_bytes").number(totals.reclaimable_bytes);
  json.close_object();
}

void or_null(std::string_view text, JsonWriter &json) {
  text.empty() ? json.null() : json.string(text);
}

void append_type_keys(const TypeDiff &type, JsonWriter &json) {
  json.key("before");
  append_totals(type.before, json);
  json.key("after");
  append_totals(type.after, json);
  json.key("appeared").number(type.appeared);
  json.key("gone").number(type.gone);
  json.key("grown").number(type.grown);
  json.key("shrunk").number(type.shrunk);
  json.key("unchanged").number(type.unchanged);
}

void append_look(const MapsLook &look, JsonWriter &json) {
  json.open_object();
  or_null(look.source, json.key("source"));
  or_null(look.process, json.key("process"));
  or_null(time_text(look.wall_time_ns), json.key("time"));
  json.key("unsettled").number(look.unsettled);
  json.close_object();
}

void append_side(const std::optional<DiffMap> &map, JsonWriter &json) {
  if (!map)
    return json.null();
  json.open_object();
  json.key("len").number(map->len);
  json.key("bytes").number(map->bytes);
  json.key("reclaimable_bytes").number(map->reclaimable_bytes);
  json.close_object();
}

} // namespace

std::string maps_diff_text(const MapsLook &before, const MapsLook &after, const MapsDiff &diff,
                           bool colour) {
  std::string out;
  append_head(before, after, diff, colour, out);
  append_types(diff, colour, out);
  append_maps(diff, colour, out);
  return out;
}

std::string maps_diff_json(const MapsLook &before, const MapsLook &after, const MapsDiff &diff) {
  std::string out;
  JsonWriter json{out};
  json.open_object();
  json.key("schema").string("mapscope.maps_diff/1");
  json.key("looks").open_object();
  json.key("before");
  append_look(before, json);
  json.key("after");
  append_look(after, json);
  json.close_object();
  json.key("totals").open_object();
  append_type_keys(diff.all, json);
  json.close_object();
  json.key("types").open_array();
  for (const TypeDiff &type : diff.types) {
    json.open_object();
    or_null(type.type, json.key("type"));
    append_type_keys(type, json);
    json.close_object();
  }
  json.close_array();
  json.key("changed").number(diff.changed);
  json.key("maps").open_array();
  for (const ChangedMap &map : diff.maps) {
    json.open_object();
    json.key("address").hex(map.address.value);
    or_null(map.type, json.key("type"));
    json.key("change").string(word_for(map));
    json.key("before");
    append_side(map.before, json);
    json.key("after");
    append_side(map.after, json);
    json.close_object();
  }
  json.close_array();
  json.close_object();
  out += '\n';
  return out;
}

} // namespace mapscope
