// Rows of a label and a text, wrapped to 80 columns.
#include "report/maps_summary.h"

#include <iterator>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/maps_owner_text.h"
#include "report/maps_words.h"
#include "report/terminal.h"
#include "report/verify_words.h"

namespace mapscope {

namespace {

constexpr std::size_t kLabelWidth = 13;

std::string joined(const std::vector<std::string> &texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string heap_text(const HeapStatistics &heap) {
  std::vector<std::string> texts;
  auto add = [&texts](std::string_view what, const std::optional<std::uint64_t> &bytes) {
    if (bytes)
      texts.push_back(fmt::format("{} {}", format_bytes(*bytes), what));
  };
  add("live", heap.live_bytes);
  add("in use", heap.in_use_bytes);
  add("idle", heap.idle_bytes);
  if (heap.released_bytes && heap.idle_bytes)
    texts.back() += fmt::format(" ({} given back)", format_bytes(*heap.released_bytes));
  return texts.empty() ? "not known" : joined(texts);
}

std::string collector_text(const HeapStatistics &heap) {
  std::vector<std::string> texts;
  if (heap.gc_cycles)
    texts.push_back(format_counted(*heap.gc_cycles, "cycle"));
  if (heap.goal_bytes)
    texts.push_back(fmt::format("goal {}", format_bytes(*heap.goal_bytes)));
  if (heap.limit_bytes)
    texts.push_back(fmt::format("limit {}", format_bytes(*heap.limit_bytes)));
  if (heap.objects_allocated && heap.objects_freed)
    texts.push_back(fmt::format("{} allocated, {} of them freed",
                                format_counted(*heap.objects_allocated, "object"),
                                format_count(*heap.objects_freed)));
  return joined(texts);
}

std::string bytes_text(const MapsReport &report) {
  const MapTotals &totals = report.totals;
  std::vector<std::string> texts{format_bytes(totals.bytes)};
  // Of what is allocated now: the live heap is of the last collection, and maps grow since.
  if (auto heap =
          report.heap.allocated_bytes ? report.heap.allocated_bytes : report.heap.live_bytes;
      heap && *heap != 0 && *heap >= totals.bytes)
    texts.back() += fmt::format(" ({} of the heap's objects)", percent_text(totals.bytes, *heap));
  if (totals.resident_bytes)
    texts.push_back(fmt::format("{} resident", format_bytes(*totals.resident_bytes)));
  if (totals.swapped_bytes && *totals.swapped_bytes != 0)
    texts.push_back(fmt::format("{} swapped", format_bytes(*totals.swapped_bytes)));
  return joined(texts);
}

std::string waste_text(const MapTotals &totals) {
  std::string text = fmt::format("{} ({}), if every map were rebuilt for the entries it has",
                                 format_bytes(totals.reclaimable_bytes),
                                 percent_text(totals.reclaimable_bytes, totals.bytes));
  if (totals.reclaimable_unknown != 0)
    text += fmt::format("; not known of {}", format_counted(totals.reclaimable_unknown, "map"));
  return text;
}

// Only what there is: "12 exact, 3 one of several".
std::string parts_text(std::initializer_list<std::pair<std::uint64_t, std::string_view>> parts) {
  std::vector<std::string> texts;
  for (const auto &[count, what] : parts)
    if (count != 0)
      texts.push_back(fmt::format("{} {}", format_count(count), what));
  return joined(texts);
}

} // namespace

void append_labelled(std::string_view label, std::string_view text, bool colour, std::string &out) {
  if (text.empty())
    return;
  out += coloured(fmt::format("{:<{}}", label, kLabelWidth), Colour::dim, colour);
  out += wrapped(text, std::max(kLabelWidth, label.size()), kLabelWidth) + "\n";
}

bool is_live(const MapsReport &report) {
  return report.source.empty() || report.source.starts_with("process");
}

std::string process_text(const MapsReport &report) {
  std::string text = report.exe.empty() ? "process" : printable(report.exe);
  if (report.pid != 0)
    text += fmt::format(" (pid {})", report.pid);
  if (!report.go_version.empty())
    text += ", " + printable(report.go_version);
  if (auto word = word_for(report.implementation); !word.empty())
    text += fmt::format(", {} maps", word);
  return text;
}

std::vector<std::string> census_gaps(const CensusCounts &counts) {
  std::vector<std::string> gaps;
  auto add = [&gaps](std::uint64_t count, std::string_view noun, std::string_view what) {
    if (count != 0)
      gaps.push_back(fmt::format("{} {}", format_counted(count, noun), what));
  };
  add(counts.unsettled_count, "map", "changed faster than could be read: not among these");
  add(counts.too_large_count, "map", "too large to be believed: not among these");
  add(counts.gone_count, "map", "freed while the heap was read");
  add(counts.copy_count, "header", "copied from other maps bit by bit: counted once");
  add(counts.span_left_out_count, "span", "of the heap not looked into");
  add(counts.header_span_unsettled_count, "span",
      "of small objects would not hold still: maps whose headers lie there may be missing");
  add(counts.stack_left_out_count, "goroutine",
      "running while stacks were searched: maps on their stacks may be missing");
  return gaps;
}

void append_summary(const MapsReport &report, bool colour, std::string &out) {
  const MapTotals &totals = report.totals;
  auto row = [&](std::string_view label, std::string_view text) {
    append_labelled(label, text, colour, out);
  };
  out += coloured(wrapped(process_text(report), 0, kLabelWidth), Colour::bold, colour) + "\n";
  std::string time = time_text(report.wall_time_ns);
  if (is_live(report))
    row("read at", time);
  else
    row("from", printable(report.source) + (time.empty() ? "" : ", read at " + time));
  row("heap", heap_text(report.heap));
  row("gc", collector_text(report.heap));
  row("maps",
      fmt::format("{}, {} in {} ({} full)", format_counted(totals.maps, "map"),
                  totals.entries == 1 ? "1 entry" : format_count(totals.entries) + " entries",
                  format_counted(totals.slots, "slot"),
                  percent_text(totals.entries, totals.slots)));
  if (totals.maps != 0) {
    row("", bytes_text(report));
    row("reclaimable", waste_text(totals));
    append_reach(report, colour, out);
    row("types", parts_text({{totals.exact_types, "known exactly"},
                             {totals.candidate_types, "one of several"},
                             {totals.unknown_types, "unknown"}}));
    row("evidence", parts_text({{totals.proved, "proved"},
                                {totals.referenced, "referenced"},
                                {totals.consistent, "consistent"}}));
  }
  if (totals.in_motion != 0)
    row("in motion",
        fmt::format("{} written to while it was read: what is told of it is of moments close to "
                    "each other",
                    format_counted(totals.in_motion, "map")));
  if (report.plausible != 0)
    row("apart", fmt::format("{} without contents that nothing contradicts ({}): maps never "
                             "written to, or chance; in no number above",
                             format_counted(report.plausible, "header"),
                             format_bytes(report.plausible_bytes)));
  for (const std::string &gap : census_gaps(report.counts))
    row("not seen", gap);
  if (!report.stacks_searched)
    row("not seen", "maps whose headers lie on stacks of goroutines");
  for (const std::string &remark : report.remarks)
    row("note", printable(remark));
}

} // namespace mapscope
