// Numbers first and names last; what is not known is said. See bpf_maps_text.h.
#include "report/bpf_maps_text.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/bpf_maps_words.h"
#include "report/maps_summary.h"
#include "report/maps_words.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

constexpr std::size_t kLineWidth = 80;
constexpr std::size_t kFillWidth = 8;
constexpr auto kColumns = "{:>23} {} {:>4} {} {:>9} {:>7}  ";

char mark_of(BpfMethod method) {
  switch (method) {
  case BpfMethod::counted:
    return 'c';
  case BpfMethod::walked:
    return 'w';
  case BpfMethod::sampled:
    return 's';
  case BpfMethod::unknown:
    break;
  }
  return '?';
}

struct FillFigure {
  std::uint64_t part = 0, whole = 0; // whole 0: not known
};

FillFigure figure_of(const BpfMapSample &map) {
  const BpfMapFill &fill = map.fill;
  if (!fill.fill)
    return {};
  if (fill.used_bytes || fill.entries)
    return {fill.used_bytes ? *fill.used_bytes : *fill.entries, map.facts.max_entries};
  constexpr std::uint64_t kParts = 1'000'000;
  return {static_cast<std::uint64_t>(std::llround(*fill.fill * static_cast<double>(kParts))),
          kParts};
}

struct BpfTable {
  bool colour, unicode;
  std::string &out;

  void line(std::string_view text, std::size_t indent = 2) {
    out.append(indent, ' ');
    out += wrapped(text, indent, indent + 2, kLineWidth) + "\n";
  }

  // High fill is what people look for.
  std::string bar(FillFigure figure) const {
    if (figure.whole == 0)
      return std::string(kFillWidth, ' ');
    const Colour shade = figure.part * 10 >= figure.whole * 9  ? Colour::red
                         : figure.part * 4 >= figure.whole * 3 ? Colour::yellow
                                                               : Colour::green;
    return coloured(bar_text(figure.part, figure.whole, kFillWidth, unicode), shade, colour);
  }

  void row(const BpfMapRow &row) {
    const BpfMapSample &map = row.map;
    const FillFigure figure = figure_of(map);
    out += fmt::format(kColumns, entries_text(map.facts, map.fill), mark_of(map.fill.method),
                       percent_text(figure.part, figure.whole), bar(figure),
                       map.facts.memory_bytes ? format_bytes(*map.facts.memory_bytes) : "-",
                       map.facts.id);
    out += printable(map.facts.type) + "\n";
    add_name(map);
    if (map.rates && map.rates->window_ns != 0)
      line(fmt::format("lookups {}, updates {}, deletes {}", rate_text(lookups_of(*map.rates)),
                       rate_text(updates_of(*map.rates)), rate_text(deletes_of(*map.rates))),
           4);
    add_growth(map);
    for (const std::string &advice : row.advice)
      out += coloured("  -> ", Colour::yellow, colour) + wrapped(printable(advice), 5, 5) + "\n";
  }

  void add_name(const BpfMapSample &map) {
    const BpfMapFacts &facts = map.facts;
    const std::string name = cut_to(name_text(facts), kLineWidth / 2);
    std::string about;
    const auto add = [&about](std::string_view text) {
      if (!text.empty())
        about += fmt::format("{}{}", about.empty() ? "" : ", ", text);
    };
    add(facts.is_own ? "mapscope's own" : printable(facts.owner));
    if (!facts.programs.empty())
      add(format_counted(facts.programs.size(), "program"));
    if (facts.is_frozen.value_or(false))
      add("frozen");
    if (!facts.pinned_paths.empty())
      add("pinned at " + printable(facts.pinned_paths.front()));
    if (facts.pinned_paths.size() > 1)
      add(fmt::format("and {} more", facts.pinned_paths.size() - 1));
    if (map.fill.method == BpfMethod::unknown)
      add(printable(map.fill.note));
    out += "  " + coloured(name, Colour::bold, colour);
    if (!about.empty())
      out += "  " + wrapped(about, name.size() + 4, 4);
    out += '\n';
  }

  void add_growth(const BpfMapSample &map) {
    if (!map.time_to_full || map.time_to_full->entries_per_second == 0)
      return;
    const BpfTimeToFull &time = *map.time_to_full;
    std::string text = fmt::format("{}{} entries/s", time.entries_per_second > 0 ? "+" : "",
                                   frequency_text(time.entries_per_second));
    if (const std::string when = fullness_time_text(time); !when.empty())
      text += "; full " + when;
    line(text, 4);
  }
};

std::string methods_text(const BpfMapsTotals &totals) {
  std::string text;
  const auto add = [&text](std::uint64_t count, std::string_view what) {
    if (count != 0)
      text += fmt::format("{}of {} {}", text.empty() ? "" : ", ", format_count(count), what);
  };
  add(totals.counted, "counted by the kernel (c)");
  add(totals.walked, "walked (w)");
  add(totals.sampled, "sampled (s)");
  add(totals.unknown, "not known (?)");
  return text;
}

void append_problems(const BpfMapsReport &report, bool colour, std::string &out) {
  if (report.vanished != 0)
    append_labelled("not seen",
                    format_counted(report.vanished, "map") + " that went away meanwhile", colour,
                    out);
  if (report.not_counted != 0)
    append_labelled("not counted",
                    format_counted(report.not_counted, "map") +
                        ": the CPU time for counting did not suffice; --budget gives more",
                    colour, out);
  for (const std::string &problem : report.problems)
    append_labelled("note", printable(problem), colour, out);
}

void append_head(const BpfMapsReport &report, bool colour, std::string &out) {
  const BpfMapsTotals &totals = report.totals;
  std::string maps = fmt::format("{}, {}", format_counted(totals.maps, "map"),
                                 totals.memory_unknown == totals.maps && totals.maps != 0
                                     ? "of unknown memory"
                                     : format_bytes(totals.memory_bytes));
  if (totals.memory_unknown != 0 && totals.memory_unknown != totals.maps)
    maps +=
        fmt::format(" without {} whose memory is not known", format_count(totals.memory_unknown));
  append_labelled("BPF maps", maps, colour, out);
  if (totals.own_maps != 0)
    append_labelled("",
                    fmt::format("{} of these {} mapscope's own, {}", format_count(totals.own_maps),
                                totals.own_maps == 1 ? "is" : "are",
                                format_bytes(totals.own_memory_bytes)),
                    colour, out);
  append_labelled("entries", methods_text(totals), colour, out);
  append_labelled("read at",
                  fmt::format("{}, with {} of CPU time", time_text(report.wall_time_ns),
                              format_duration(report.cpu_ns)),
                  colour, out);
  append_problems(report, colour, out);
}

} // namespace

std::string bpf_maps_text(const BpfMapsReport &report, bool colour) {
  std::string out;
  append_head(report, colour, out);
  if (report.rows.empty()) {
    if (report.totals.maps != 0)
      out += "\nno map is as --type, --name and --own want it\n";
    return out;
  }
  out += '\n';
  out += coloured(fmt::format(kColumns, "ENTRIES/MAX", ' ', "FILL", std::string(kFillWidth, ' '),
                              "MEMORY", "ID") +
                      "TYPE",
                  Colour::dim, colour);
  out += '\n';
  BpfTable table{.colour = colour, .unicode = colour && speaks_utf8(), .out = out};
  for (const BpfMapRow &row : report.rows)
    table.row(row);
  if (report.selected > report.rows.size())
    out += fmt::format("{} more; --top N shows more, --top 0 all of them\n",
                       format_count(report.selected - report.rows.size()));
  return out;
}

} // namespace mapscope
