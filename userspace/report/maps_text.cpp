// Numbers first and names last; what is unknown, lost or left out is said.
#include "report/maps_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/maps_owner_text.h"
#include "report/maps_owner_words.h"
#include "report/maps_summary.h"
#include "report/maps_words.h"
#include "report/terminal.h"
#include "report/trace_labels.h"

namespace mapscope {

namespace {

constexpr std::size_t kLineWidth = 80;
constexpr std::size_t kFillWidth = 8, kFillWidthOfGroup = 6;
constexpr std::size_t kSizeClassesShown = 5;

struct Table {
  const MapsReport &report;
  bool colour, unicode;
  std::string &out;

  void head(const std::string &line) { out += coloured(line, Colour::dim, colour) + "\n"; }

  // Low fill is what people look for.
  std::string fill(std::uint64_t part, std::uint64_t whole, std::size_t width) const {
    std::string bar = bar_text(part, whole, width, unicode);
    Colour shade = part * 4 < whole   ? Colour::red
                   : part * 2 < whole ? Colour::yellow
                                      : Colour::green;
    return fmt::format("{:>4} {}", percent_text(part, whole), coloured(bar, shade, colour));
  }

  std::string optional_bytes(const std::optional<std::uint64_t> &bytes) const {
    return bytes ? format_bytes(*bytes) : "-";
  }

  std::string resident(std::uint64_t bytes) const {
    return report.totals.resident_bytes ? format_bytes(bytes) : "-";
  }

  void row(const JudgedMap &map) {
    const MapSample &sample = map.map;
    std::string cause = words_for(map.cause);
    fmt::format_to(std::back_inserter(out), "{:>11} {:>8} {:>8} {:>20} {}{}{}\n",
                   optional_bytes(map.reclaimable_bytes), format_bytes(sample.bytes.total()),
                   resident(sample.resident_bytes),
                   format_count(sample.len) + "/" + format_count(sample.slots),
                   fill(sample.len, sample.slots, kFillWidth), cause.empty() ? "" : "  ",
                   coloured(cause, Colour::yellow, colour && !cause.empty()));
    std::string where =
        fmt::format("  {:#x}{}", sample.address.value, sample.is_on_stack ? " (stack)" : "");
    out += where + "  ";
    out += coloured(cut_to(type_text(map), kLineWidth - where.size() - 2), Colour::bold, colour);
    out += '\n';
    if (const std::string owner = owner_text(map.owner, unicode); !owner.empty())
      out += coloured("  held by ", Colour::dim, colour) +
             cut_middle(owner, kLineWidth - sizeof("  held by ") + 1) + "\n";
    for (const std::string &site : site_texts(map.site))
      out += "  " + cut_middle(site, kLineWidth - 2) + "\n";
    if (const std::string written = written_text(map.written_at); !written.empty())
      out += "  " + cut_middle(written, kLineWidth - 2) + "\n";
    if (!map.advice.empty())
      out +=
          coloured("  -> ", Colour::yellow, colour) + wrapped(printable(map.advice), 5, 5) + "\n";
  }

  // What the maps of a group have in common.
  std::string name_of(const MapGroup &group) const {
    if (report.group_by == MapGroupBy::site)
      return group.site ? site_text(*group.site) : "no site known";
    if (report.group_by != MapGroupBy::owner)
      return type_text(group.type, group.candidates, group.candidate_count);
    const std::string owner = owner_text(group.owner, unicode);
    return owner.empty() ? "not known" : owner;
  }

  void row(const MapGroup &group) {
    const MapTotals &totals = group.totals;
    std::string reclaimable = totals.reclaimable_unknown == totals.maps && totals.maps != 0
                                  ? "-"
                                  : format_bytes(totals.reclaimable_bytes);
    if (totals.reclaimable_unknown != 0 && totals.reclaimable_unknown != totals.maps)
      reclaimable += "+";
    std::string front =
        fmt::format("{:>11} {:>8} {:>8} {:>8} {:>11} ", reclaimable, format_bytes(totals.bytes),
                    optional_bytes(totals.resident_bytes), format_count(totals.maps),
                    format_count(totals.entries));
    std::size_t columns = front.size() + 4 + 1 + kFillWidthOfGroup + 1;
    out += front + fill(totals.entries, totals.slots, kFillWidthOfGroup);
    const std::string name = name_of(group);
    std::size_t room = columns < kLineWidth ? kLineWidth - columns : 0;
    if (name.size() > room) { // a line of its own, under the numbers
      out += "\n  ";
      room = kLineWidth - 2;
    } else {
      out += ' ';
    }
    const bool is_type = report.group_by == MapGroupBy::none || report.group_by == MapGroupBy::type;
    out += coloured(is_type ? cut_to(name, room) : cut_middle(name, room), Colour::bold, colour);
    out += '\n';
    if (is_type || (group.type.empty() && group.candidates.empty()))
      return;
    const std::string type = type_text(group.type, group.candidates, group.candidate_count);
    out += "  " + cut_to(type, kLineWidth - 2) + "\n";
  }
};

void append_maps(const MapsReport &report, bool colour, bool unicode, std::string &out) {
  Table table{report, colour, unicode, out};
  if (report.selected == 0) {
    if (report.totals.maps != 0)
      out += "\nno map is as --type, --owner, --site and --min-bytes want it\n";
    return;
  }
  out += '\n';
  if (!report.groups.empty()) {
    table.head(fmt::format("{:>11} {:>8} {:>8} {:>8} {:>11} {:>4} {:<6} {}", "RECLAIMABLE", "BYTES",
                           "RESIDENT", "MAPS", "ENTRIES", "FILL", "",
                           report.group_by == MapGroupBy::owner  ? "OWNER"
                           : report.group_by == MapGroupBy::site ? "SITE"
                                                                 : "TYPE"));
    for (const MapGroup &group : report.groups)
      table.row(group);
    return;
  }
  table.head(fmt::format("{:>11} {:>8} {:>8} {:>20} {:>4} {:<8}  {}", "RECLAIMABLE", "BYTES",
                         "RESIDENT", "LEN/SLOTS", "FILL", "", "CAUSE"));
  for (const JudgedMap &map : report.maps)
    table.row(map);
  if (report.selected > report.maps.size())
    out += fmt::format("{} more; --top N shows more, --top 0 all of them\n",
                       format_count(report.selected - report.maps.size()));
}

std::uint64_t waste_of(const SizeClassUse &use) { return use.free_bytes + use.tail_bytes; }

void append_size_classes(const MapsReport &report, bool colour, std::string &out) {
  std::vector<const SizeClassUse *> worst;
  for (const SizeClassUse &use : report.heap.size_classes)
    if (waste_of(use) != 0)
      worst.push_back(&use);
  if (worst.empty())
    return;
  std::ranges::stable_sort(worst, [](const SizeClassUse *one, const SizeClassUse *other) {
    return waste_of(*one) > waste_of(*other);
  });
  std::uint64_t all = 0;
  for (const SizeClassUse *use : worst)
    all += waste_of(*use);
  Table table{report, colour, false, out};
  out += fmt::format("\nheap space without objects, by size class: {} in all\n", format_bytes(all));
  table.head(fmt::format("{:>9} {:>10} {:>12} {:>9} {:>9} {:>9} {:>6}", "OBJECT", "POINTERS",
                         "OBJECTS", "SPANS", "FREE", "TAILS", "EMPTY"));
  for (std::size_t i = 0; i < std::min(worst.size(), kSizeClassesShown); ++i) {
    const SizeClassUse &use = *worst[i];
    out += fmt::format("{:>9} {:>10} {:>12} {:>9} {:>9} {:>9} {:>6}\n",
                       use.object_bytes == 0 ? "large" : format_bytes(use.object_bytes),
                       use.has_pointers ? "yes" : "no", format_count(use.object_count),
                       format_count(use.span_count), format_bytes(use.free_bytes),
                       format_bytes(use.tail_bytes), percent_text(waste_of(use), use.span_bytes));
  }
}

} // namespace

std::string maps_text(const MapsReport &report, bool colour) {
  std::string out;
  append_summary(report, colour, out);
  append_maps(report, colour, colour && speaks_utf8(), out);
  append_size_classes(report, colour, out);
  append_owner_footer(report, colour, out);
  return out;
}

} // namespace mapscope
