// Numbers first and names last, so that no name breaks a column.
#include "report/trace_summary_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/printable.h"
#include "report/event_losses.h"
#include "report/terminal.h"
#include "report/trace_labels.h"

namespace mapscope {

namespace {

constexpr std::size_t kRowsShown = 20;
constexpr std::size_t kHintsShown = 5;

// 210 MiB; with a '+' where some operations did not tell.
std::string bytes_text(std::uint64_t bytes, std::uint64_t not_told) {
  return format_bytes(bytes) + (not_told > 0 ? "+" : "");
}

void append_row(const TraceSummaryRow &row, std::string_view type, std::string_view site,
                std::string &out) {
  fmt::format_to(
      std::back_inserter(out), "{:>10} {:>10} {:>10} {:>8} {:>8} {:>8} {:>11}  {:<24}  {}\n",
      bytes_text(row.bytes, row.bytes_not_told), format_count(row.created + row.cloned),
      format_count(row.grown), format_count(row.split), format_count(row.rehashed),
      format_count(row.cleared), row.len_max ? format_count(*row.len_max) : "-", type, site);
}

void append_table(const TraceSummary &summary, bool colour, std::string &out) {
  out += coloured(fmt::format("{:>10} {:>10} {:>10} {:>8} {:>8} {:>8} {:>11}  {:<24}  {}", "ASKED",
                              "CREATED", "GROWN", "SPLIT", "REHASHED", "CLEARED", "MAX ENTRIES",
                              "TYPE", "SITE"),
                  Colour::dim, colour) +
         "\n";
  const std::size_t shown = std::min(summary.rows.size(), kRowsShown);
  for (std::size_t at = 0; at < shown; ++at) {
    const TraceSummaryRow &row = summary.rows[at];
    append_row(row, row.type.empty() ? std::string{kUnknown} : printable(row.type),
               row.site ? site_text(*row.site) : std::string{kUnknown}, out);
  }
  TraceSummaryRow rest = summary.not_kept.value_or(TraceSummaryRow{});
  for (std::size_t at = shown; at < summary.rows.size(); ++at)
    rest += summary.rows[at];
  if (rest.operations() > 0)
    append_row(rest, "",
               fmt::format("{}{}", format_counted(summary.rows.size() - shown, "other line"),
                           summary.not_kept ? " and those beyond" : ""),
               out);
  append_row(summary.total, "", "all", out);
}

// "grow 7 times each": exact, or the mean and said so.
std::string growths_text(const SizeHint &hint) {
  if (hint.growths % hint.maps == 0)
    return fmt::format("{} times{}", format_count(hint.growths / hint.maps),
                       hint.maps > 1 ? " each" : "");
  return fmt::format("{:.1f} times on average",
                     static_cast<double>(hint.growths) / static_cast<double>(hint.maps));
}

// main.fill main.go:31: 999 maps of type map[string]int grow 7 times each; made with
// make(map[string]int, 896) they would have been spared 6,993 growths and 210 MiB of allocation
std::string hint_text(const TraceSummaryRow &row) {
  const SizeHint &hint = *row.hint;
  const bool one = hint.maps == 1;
  const bool is_typed = !row.type.empty();
  std::string text = row.site ? site_text(*row.site) : "at a line that is not known";
  fmt::format_to(std::back_inserter(text), ": {}{}{} grow{} {}, to {} slots{}; ",
                 one ? "one map" : format_counted(hint.maps, "map"),
                 is_typed ? " of type " + printable(row.type) : "",
                 hint.is_at_creation ? one ? ", made here," : " made here" : "", one ? "s" : "",
                 growths_text(hint), format_count(hint.slots), one ? "" : " or fewer");
  if (is_typed)
    fmt::format_to(std::back_inserter(text), "make({}, {})", printable(row.type), hint.hint);
  else
    fmt::format_to(std::back_inserter(text), "a size hint of {}", hint.hint);
  text += hint.is_at_creation ? " would save "
          : one               ? " where it is made would save "
                              : " where they are made would save ";
  text += format_counted(hint.growths, "growth");
  if (hint.bytes)
    text += fmt::format(" and {} of allocation", format_bytes(*hint.bytes));
  return text;
}

void append_hints(const TraceSummary &summary, bool colour, std::string &out) {
  std::vector<const TraceSummaryRow *> rows;
  for (const TraceSummaryRow &row : summary.rows)
    if (row.hint)
      rows.push_back(&row);
  std::ranges::stable_sort(rows, [](const TraceSummaryRow *one, const TraceSummaryRow *other) {
    return std::pair(one->hint->bytes, one->hint->growths) >
           std::pair(other->hint->bytes, other->hint->growths);
  });
  if (rows.empty())
    return;
  out += '\n';
  for (std::size_t at = 0; at < std::min(rows.size(), kHintsShown); ++at)
    out += coloured("-> ", Colour::yellow, colour) + hint_text(*rows[at]) + "\n";
  if (rows.size() > kHintsShown)
    out += fmt::format("   and {}; --json has them\n",
                       format_counted(rows.size() - kHintsShown, "more line"));
}

std::string requests_text(const RequestSummary &requests, std::string_view what) {
  std::string text =
      fmt::format("{} ({})", format_counted(requests.count, what), format_bytes(requests.bytes));
  if (requests.inside_count > 0)
    text += fmt::format(", {} ({}) in map operations", format_count(requests.inside_count),
                        format_bytes(requests.inside_bytes));
  return text;
}

std::string calls_text(const std::vector<CallSummary> &calls) {
  std::vector<std::string> texts;
  for (const CallSummary &call : calls)
    texts.push_back(
        fmt::format("{} {} ({}{})", format_count(call.calls), call.name,
                    bytes_text(call.bytes, call.bytes_not_told),
                    call.errors > 0 ? fmt::format(", {} failed", format_count(call.errors)) : ""));
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

void append_rest(const TraceSummary &summary, bool colour, std::string &out) {
  auto row = [&](std::string_view label, std::string_view text) {
    out += coloured(fmt::format("{:<17}", label), Colour::dim, colour);
    out += text;
    out += '\n';
  };
  out += '\n';
  if (summary.memory_calls)
    row("memory calls", calls_text(*summary.memory_calls));
  std::vector<std::string> requests;
  if (summary.heap_grown)
    requests.push_back(requests_text(*summary.heap_grown, "growth"));
  if (summary.large_allocations)
    requests.push_back(requests_text(*summary.large_allocations, "large allocation"));
  if (!requests.empty())
    row("heap", fmt::format("{}", fmt::join(requests, "; ")));
  if (summary.file_calls > 0)
    row("FILE CALLS", format_count(summary.file_calls) + " inside map operations");
  if (summary.misuses > 0)
    row("MISUSE", format_counted(summary.misuses, "report") + " of the runtime");
  if (summary.total.bytes_not_told > 0)
    row("+", fmt::format("{} did not tell their bytes",
                         format_counted(summary.total.bytes_not_told, "operation")));
  if (summary.maps_forgotten > 0)
    row("hints", fmt::format("{} grew again after {} had to be forgotten",
                             format_counted(summary.maps_forgotten, "map"),
                             summary.maps_forgotten == 1 ? "it" : "they"));
  row("events", trace_losses_text(summary.end));
  for (const std::string &note : summary.end.notes)
    row("note", printable(note));
}

} // namespace

std::string trace_losses_text(const TraceEnd &end) {
  const EventLosses losses = event_losses(end.events, end.lost, end.dropped);
  std::string text = fmt::format("{}, {} lost", format_counted(losses.sent, "record"),
                                 format_count(losses.lost_total()));
  for (const NamedLoss &loss : losses.lost)
    if (loss.count > 0)
      text += fmt::format("; {} {}", loss.name, format_count(loss.count));
  for (const NamedCount &unknown : end.unknown)
    if (unknown.count > 0)
      text += fmt::format("; {} {}", unknown.name, format_count(unknown.count));
  return text;
}

std::string trace_summary_text(const TraceSummary &summary, bool colour) {
  std::string out = fmt::format("{} in {}, by line, most bytes asked of the heap first\n\n",
                                format_counted(summary.total.operations(), "map operation"),
                                format_duration(summary.duration_ns));
  append_table(summary, colour, out);
  append_hints(summary, colour, out);
  append_rest(summary, colour, out);
  return out;
}

} // namespace mapscope
