// One map in full: from what it is for to the pages it lies in.
#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/maps_owner_text.h"
#include "report/maps_summary.h"
#include "report/maps_text.h"
#include "report/maps_words.h"
#include "report/terminal.h"

namespace mapscope {

namespace {

constexpr std::size_t kBarWidth = 30;
constexpr std::size_t kRowsShown = 16; // of tables, and of objects

class Explanation {
public:
  Explanation(const MapsReport &report, const MapExplanation &map, bool colour, std::string &out)
      : report_(report), whole_(map), judged_(map.map), sample_(map.map.map), anatomy_(map.anatomy),
        type_(map.type), colour_(colour), unicode_(colour && speaks_utf8()), out_(out) {}

  void append() {
    head();
    append_owner_section(whole_, colour_, unicode_, out_);
    append_site_section(judged_, colour_, out_);
    bytes();
    type();
    tables();
    fill();
    objects();
    pages();
    payload();
    append_owner_footer(report_, colour_, out_);
  }

private:
  void head();
  void bytes();
  void type();
  void type_of(std::string_view label, const GoType &type);
  void tables();
  void fill();
  void objects();
  void pages();
  void payload();

  void row(std::string_view label, std::string_view text) {
    append_labelled(label, text, colour_, out_);
  }
  void title(std::string_view text) { out_ += "\n" + coloured(text, Colour::bold, colour_) + "\n"; }
  void columns(const std::string &line) { out_ += coloured(line, Colour::dim, colour_) + "\n"; }
  std::string bar(std::uint64_t part, std::uint64_t whole) const {
    return part == 0 ? std::string{} : "  " + bar_text(part, whole, kBarWidth, unicode_);
  }
  std::string history() const;

  const MapsReport &report_;
  const MapExplanation &whole_;
  const JudgedMap &judged_;
  const MapSample &sample_;
  const MapAnatomy &anatomy_;
  const MapTypeLayout *type_;
  bool colour_, unicode_;
  std::string &out_;
};

std::string Explanation::history() const {
  std::vector<std::string_view> texts;
  const MapHistory &history = sample_.history;
  if (history.was_hinted)
    texts.emplace_back("made with a size hint");
  if (history.has_grown)
    texts.emplace_back("has grown");
  if (history.has_deletions)
    texts.emplace_back("entries were deleted");
  if (history.was_cleared)
    texts.emplace_back("was cleared");
  return texts.empty() ? "no trace of growth, deletion or clearing"
                       : fmt::format("{}", fmt::join(texts, ", "));
}

void Explanation::head() {
  out_ += coloured(wrapped(fmt::format("{} at {:#x}{}", type_text(judged_), sample_.address.value,
                                       sample_.is_on_stack ? ", on a goroutine's stack" : ""),
                           0, 4),
                   Colour::bold, colour_) +
          "\n";
  row("process", process_text(report_));
  std::string time = time_text(report_.wall_time_ns);
  if (is_live(report_))
    row("read at", time);
  else
    row("from", printable(report_.source) + (time.empty() ? "" : ", read at " + time));
  row("len",
      fmt::format("{} in {} ({} full)",
                  sample_.len == 1 ? "1 entry" : format_count(sample_.len) + " entries",
                  format_counted(sample_.slots, "slot"), percent_text(sample_.len, sample_.slots)));
  if (sample_.tombstones != 0)
    row("tombstones", format_count(sample_.tombstones));
  std::string bytes = format_bytes(sample_.bytes.total());
  if (judged_.rebuilt_bytes && judged_.reclaimable_bytes)
    bytes +=
        fmt::format("; made anew for its entries {}: {} would be free",
                    format_bytes(*judged_.rebuilt_bytes), format_bytes(*judged_.reclaimable_bytes));
  else
    bytes += "; what a rebuild would take is not known, since its type is not";
  row("bytes", bytes);
  if (judged_.cause != MapCause::none)
    row("cause", words_for(judged_.cause));
  row("", printable(judged_.explanation));
  row("advice", printable(judged_.advice));
  row("evidence", fmt::format("{}: {}", name_of(sample_.evidence), sentence_for(sample_.evidence)));
  row("history", history());
  if (sample_.old_buckets != 0)
    row("growth", fmt::format("{} of {} moved", format_count(sample_.evacuated_buckets),
                              format_counted(sample_.old_buckets, "old bucket")));
}

void Explanation::bytes() {
  struct Cause {
    std::string_view name;
    std::optional<std::uint64_t> bytes;
    std::string_view unknown; // where the bytes are then
  };
  const BytesByCause &by_cause = judged_.by_cause;
  const std::array causes = {
      Cause{"entries", by_cause.entries, "in empty"},
      Cause{"padding", by_cause.padding, by_cause.entries ? "in entries" : "in empty"},
      Cause{"empty", by_cause.empty, ""},
      Cause{"tombstones", by_cause.tombstones, ""},
      Cause{"control", by_cause.control, ""},
      Cause{"overflow", by_cause.overflow, ""},
      Cause{"old", by_cause.old, ""},
      Cause{"indirect", by_cause.indirect, ""},
      Cause{"directory", by_cause.directory, ""},
      Cause{"header", by_cause.header, ""},
      Cause{"size class", by_cause.size_class, ""},
  };
  title("bytes by cause");
  const std::uint64_t total = sample_.bytes.total();
  for (const Cause &cause : causes) {
    if (cause.bytes == 0U)
      continue;
    std::string share = cause.bytes ? percent_text(*cause.bytes, total) : "-";
    out_ += fmt::format("  {:<11}{:>14} {:>5}{}\n", cause.name,
                        cause.bytes ? format_count(*cause.bytes) : "not known", share,
                        cause.bytes ? bar(*cause.bytes, total) : "  " + std::string{cause.unknown});
  }
  out_ += fmt::format("  {:<11}{:>14}\n", "all", format_count(total));
}

void Explanation::type_of(std::string_view label, const GoType &type) {
  row(label, fmt::format("{}, {}{}", printable(type.name), format_counted(type.size_bytes, "byte"),
                         type.padding_bytes == 0
                             ? ""
                             : fmt::format(", {} of them padding", type.padding_bytes)));
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    const GoField &field = type.fields[i];
    std::uint64_t end = field.offset + field.size_bytes;
    std::uint64_t next = i + 1 < type.fields.size() ? type.fields[i + 1].offset : type.size_bytes;
    out_ += fmt::format("{:>16}  {:<20} {:<24} {:>5}{}\n", field.offset, printable(field.name),
                        printable(field.type_name), field.size_bytes,
                        next > end ? fmt::format("  + {}", next - end) : "");
  }
}

void Explanation::type() {
  title("type");
  row("certainty", name_of(judged_.certainty));
  if (judged_.candidate_count > 1) {
    std::string names;
    for (const std::string &name : judged_.candidates)
      names += (names.empty() ? "" : ", ") + printable(name);
    if (judged_.candidate_count > judged_.candidates.size())
      names += fmt::format(", and {} more", judged_.candidate_count - judged_.candidates.size());
    row("candidates", names);
  }
  if (type_ == nullptr)
    return;
  const MapType &type = type_->type;
  row("entry",
      fmt::format("{}, {} of them padding; {} in a {} of {}",
                  format_counted(type_->bytes_per_slot(), "byte"), type_->padding_bytes_per_slot(),
                  "eight",
                  report_.implementation == MapImplementation::classic ? "bucket" : "group",
                  format_counted(type.group_bytes, "byte")));
  std::string indirect = type.key_is_indirect && type.element_is_indirect ? "keys and elements are"
                         : type.key_is_indirect                           ? "keys are"
                         : type.element_is_indirect                       ? "elements are"
                                                                          : "";
  if (!indirect.empty())
    row("indirect", indirect + " held by pointer, being above 128 bytes");
  type_of("key", type_->key);
  type_of("element", type_->element);
}

void Explanation::tables() {
  if (anatomy_.tables.empty())
    return;
  title(fmt::format("{}, global depth {}", format_counted(anatomy_.table_count, "table"),
                    anatomy_.global_depth));
  columns(fmt::format("{:>9} {:>9} {:>9} {:>11} {:>12} {:>6}  {}", "INDEX", "SLOTS", "USED",
                      "TOMBSTONES", "GROWTH LEFT", "DEPTH", "ADDRESS"));
  const std::size_t shown = std::min(anatomy_.tables.size(), kRowsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const TableAnatomy &table = anatomy_.tables[i];
    out_ += fmt::format("{:>9} {:>9} {:>9} {:>11} {:>12} {:>6}  {:#x}\n", table.index,
                        format_count(table.slots), format_count(table.used),
                        format_count(table.tombstones), format_count(table.growth_left),
                        table.local_depth, table.address.value);
  }
  if (anatomy_.table_count > shown)
    out_ += fmt::format("  and {} more\n", format_count(anatomy_.table_count - shown));
}

void Explanation::fill() {
  const bool classic = report_.implementation == MapImplementation::classic;
  const std::string_view noun = classic ? "bucket" : "group";
  std::uint64_t all = std::accumulate(anatomy_.fill.begin(), anatomy_.fill.end(), std::uint64_t{0});
  if (all != 0) {
    title(fmt::format("fill of {}{}", format_counted(all, noun),
                      classic ? ", those of chains included" : ""));
    std::uint64_t most = std::ranges::max(anatomy_.fill);
    for (std::size_t entries = 0; entries < anatomy_.fill.size(); ++entries)
      out_ +=
          fmt::format("  {} of 8 {:>16} {:>5}{}\n", entries, format_count(anatomy_.fill[entries]),
                      percent_text(anatomy_.fill[entries], all), bar(anatomy_.fill[entries], most));
  }
  std::uint64_t chains = 0;
  for (std::uint64_t count : anatomy_.chain_lengths)
    chains += count;
  if (chains == 0)
    return;
  title("overflow buckets in the chain of a bucket");
  std::uint64_t most = std::ranges::max(anatomy_.chain_lengths);
  for (std::size_t length = 0; length < anatomy_.chain_lengths.size(); ++length) {
    std::uint64_t count = anatomy_.chain_lengths[length];
    bool is_last = length + 1 == anatomy_.chain_lengths.size() && length != 0;
    if (count != 0)
      out_ += fmt::format("  {:<11}{:>11} {:>5}{}\n",
                          fmt::format("{}{}", length, is_last ? " or more" : ""),
                          format_count(count), percent_text(count, chains), bar(count, most));
  }
}

void Explanation::objects() {
  if (anatomy_.objects.empty())
    return;
  title(fmt::format("{} on the heap, in {}", format_counted(anatomy_.object_count, "object"),
                    format_counted(anatomy_.span_count, "span")));
  columns(fmt::format("{:>7} {:>8} {:>8} {:>6} {:>8} {:>4} {:>12}  {}", "COUNT", "BYTES", "ASKED",
                      "CLASS", "SPAN", "PTRS", "ADDRESS", "PART"));
  const std::size_t shown = std::min(anatomy_.objects.size(), kRowsShown);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < shown; ++i) {
    const MapObject &object = anatomy_.objects[i];
    if (!object.is_on_stack)
      count += object.count;
    std::string part{name_of(object.part)};
    std::ranges::replace(part, '_', ' ');
    out_ += fmt::format(
        "{:>7} {:>8} {:>8} {:>6} {:>8} {:>4} {:>12}  {}\n", format_count(object.count),
        format_bytes(object.bytes), format_bytes(object.asked_bytes),
        object.is_on_stack       ? "-"
        : object.slot_bytes == 0 ? "large"
                                 : format_count(object.slot_bytes),
        object.is_on_stack ? "stack" : format_bytes(object.span_bytes),
        object.has_pointers ? "yes" : "no", fmt::format("{:#x}", object.address.value), part);
  }
  if (anatomy_.object_count > count)
    out_ += fmt::format("  and {} more\n", format_count(anatomy_.object_count - count));
}

void Explanation::pages() {
  if (anatomy_.heap_pages == 0)
    return;
  title("pages");
  row("Go's", fmt::format("{} of 8 KiB", format_count(anatomy_.heap_pages)));
  if (!anatomy_.kernel_pages)
    return;
  std::string text = fmt::format("{} of {}", format_count(*anatomy_.kernel_pages),
                                 fmt::format("{} KiB", anatomy_.kernel_page_bytes / 1024));
  if (anatomy_.resident_pages)
    text += fmt::format(", {} in memory", format_count(*anatomy_.resident_pages));
  if (anatomy_.swapped_pages)
    text += fmt::format(", {} in swap", format_count(*anatomy_.swapped_pages));
  row("the kernel's", text);
}

void Explanation::payload() {
  if (!anatomy_.payload) {
    if (!anatomy_.no_payload.empty()) {
      title("payload");
      row("not known", printable(anatomy_.no_payload));
    }
    return;
  }
  const PayloadEstimate &payload = *anatomy_.payload;
  title("payload: what keys and elements point to");
  row("bytes",
      fmt::format("{}{}{}", payload.error_bytes ? "about " : "", format_bytes(payload.bytes),
                  payload.error_bytes
                      ? fmt::format(", give or take {}", format_bytes(*payload.error_bytes))
                      : ""));
  row("from",
      fmt::format("{} of {}", format_count(payload.sampled_count),
                  payload.entry_count == 1 ? "1 entry"
                                           : format_count(payload.entry_count) + " entries"));
  if (payload.unread_count != 0)
    row("not read",
        fmt::format("{} of these would not hold still", format_count(payload.unread_count)));
}

} // namespace

std::string map_explanation_text(const MapsReport &report, const MapExplanation &map, bool colour) {
  std::string out;
  Explanation{report, map, colour, out}.append();
  return out;
}

} // namespace mapscope
