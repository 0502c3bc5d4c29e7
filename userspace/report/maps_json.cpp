// Key by key as docs/json.md has it, written without a document tree: there may be a million maps.
#include "report/maps_json.h"

#include <fmt/format.h>

#include "report/json_writer.h"
#include "report/maps_anatomy_json.h"
#include "report/maps_owner_json.h"
#include "report/maps_summary.h"
#include "report/maps_words.h"
#include "report/verify_words.h"

namespace mapscope {

namespace {

constexpr std::size_t kPieceBytes = 64 << 10;

void or_null(std::string_view text, JsonWriter &json) {
  text.empty() ? json.null() : json.string(text);
}

// Six digits: a share, not a count.
void share(std::uint64_t part, std::uint64_t whole, JsonWriter &json) {
  if (whole == 0)
    return json.null();
  json.raw(fmt::format("{:.6g}", static_cast<double>(part) / static_cast<double>(whole)));
}

void append_process(const MapsReport &report, JsonWriter &json) {
  json.key("process").open_object();
  report.pid == 0 ? json.key("pid").null() : json.key("pid").number(report.pid);
  or_null(report.exe, json.key("exe"));
  or_null(report.go_version, json.key("go_version"));
  or_null(word_for(report.implementation), json.key("map_implementation"));
  json.close_object();
  or_null(report.source, json.key("source"));
  or_null(time_text(report.wall_time_ns), json.key("time"));
}

void append_heap(const HeapStatistics &heap, JsonWriter &json) {
  json.key("heap").open_object();
  json.key("live_bytes").number(heap.live_bytes);
  json.key("allocated_bytes").number(heap.allocated_bytes);
  json.key("in_use_bytes").number(heap.in_use_bytes);
  json.key("idle_bytes").number(heap.idle_bytes);
  json.key("released_bytes").number(heap.released_bytes);
  json.key("goal_bytes").number(heap.goal_bytes);
  json.key("limit_bytes").number(heap.limit_bytes);
  json.key("gc_cycles").number(heap.gc_cycles);
  json.key("objects_allocated").number(heap.objects_allocated);
  json.key("objects_freed").number(heap.objects_freed);
  json.key("size_classes").open_array();
  for (const SizeClassUse &use : heap.size_classes) {
    json.open_object();
    use.object_bytes == 0 ? json.key("object_bytes").null()
                          : json.key("object_bytes").number(use.object_bytes);
    json.key("pointers").boolean(use.has_pointers);
    json.key("spans").number(use.span_count);
    json.key("span_bytes").number(use.span_bytes);
    json.key("objects").number(use.object_count);
    json.key("free_bytes").number(use.free_bytes);
    json.key("tail_bytes").number(use.tail_bytes);
    json.close_object();
  }
  json.close_array();
  json.close_object();
}

void append_totals_keys(const MapTotals &totals, JsonWriter &json) {
  json.key("maps").number(totals.maps);
  json.key("entries").number(totals.entries);
  json.key("slots").number(totals.slots);
  share(totals.entries, totals.slots, json.key("fill"));
  json.key("bytes").number(totals.bytes);
  json.key("reclaimable_bytes").number(totals.reclaimable_bytes);
  json.key("reclaimable_unknown").number(totals.reclaimable_unknown);
  json.key("in_motion").number(totals.in_motion);
  json.key("resident_bytes").number(totals.resident_bytes);
  json.key("swapped_bytes").number(totals.swapped_bytes);
}

void append_totals(const MapsReport &report, JsonWriter &json) {
  const MapTotals &totals = report.totals;
  json.key("totals").open_object();
  append_totals_keys(totals, json);
  json.key("unsettled").number(report.counts.unsettled_count);
  json.key("types").open_object();
  json.key("exact").number(totals.exact_types);
  json.key("candidate").number(totals.candidate_types);
  json.key("unknown").number(totals.unknown_types);
  json.close_object();
  json.key("evidence").open_object();
  json.key("proved").number(totals.proved);
  json.key("referenced").number(totals.referenced);
  json.key("consistent").number(totals.consistent);
  json.close_object();
  json.close_object();
  json.key("plausible").open_object();
  json.key("maps").number(report.plausible);
  json.key("bytes").number(report.plausible_bytes);
  json.close_object();
}

void append_counts(const MapsReport &report, JsonWriter &json) {
  const CensusCounts &counts = report.counts;
  json.key("counts").open_object();
  json.key("candidates").number(counts.candidate_count);
  json.key("maps").number(counts.map_count);
  json.key("copies").number(counts.copy_count);
  json.key("rejected").number(counts.rejected_count);
  json.key("unsettled").number(counts.unsettled_count);
  json.key("gone").number(counts.gone_count);
  json.key("too_large").number(counts.too_large_count);
  json.key("retried").number(counts.retried_count);
  json.key("spans_left_out").number(counts.span_left_out_count);
  json.key("header_spans_unsettled").number(counts.header_span_unsettled_count);
  json.key("stacks_left_out").number(counts.stack_left_out_count);
  json.close_object();
  json.key("stacks_searched").boolean(report.stacks_searched);
}

void append_remarks(const MapsReport &report, JsonWriter &json) {
  json.key("not_seen").open_array();
  for (const std::string &gap : census_gaps(report.counts))
    json.string(gap);
  if (!report.stacks_searched)
    json.string("maps whose headers lie on stacks of goroutines");
  json.close_array();
  json.key("remarks").open_array();
  for (const std::string &remark : report.remarks)
    json.string(remark);
  json.close_array();
}

// Of a map, or of a group of them.
template <typename Typed> void append_type(const Typed &typed, JsonWriter &json) {
  // A name only where all candidates have it.
  const bool has_one_name = typed.candidate_count > 1 && typed.candidates.size() == 1;
  if (typed.certainty == TypeCertainty::exact || has_one_name)
    json.key("type").string(has_one_name ? typed.candidates.front() : typed.type);
  else
    json.key("type").null();
  json.key("type_certainty").string(name_of(typed.certainty));
  json.key("type_candidates").open_array();
  for (const std::string &name : typed.candidates)
    json.string(name);
  json.close_array();
  json.key("type_candidate_count").number(typed.candidate_count);
}

void append_bytes(const BytesByCause &bytes, JsonWriter &json) {
  json.key("bytes_by_cause").open_object();
  json.key("entries").number(bytes.entries);
  json.key("padding").number(bytes.padding);
  json.key("empty").number(bytes.empty);
  json.key("tombstones").number(bytes.tombstones);
  json.key("control").number(bytes.control);
  json.key("overflow").number(bytes.overflow);
  json.key("old").number(bytes.old);
  json.key("indirect").number(bytes.indirect);
  json.key("directory").number(bytes.directory);
  json.key("header").number(bytes.header);
  json.key("size_class").number(bytes.size_class);
  json.close_object();
}

void append_map(const MapsReport &report, const JudgedMap &map, JsonWriter &json) {
  const MapSample &sample = map.map;
  json.open_object();
  json.key("address").hex(sample.address.value);
  json.key("seed").hex(sample.seed);
  append_type(map, json);
  json.key("evidence").string(name_of(sample.evidence));
  json.key("location").string(sample.is_on_stack ? "stack" : "heap");
  json.key("in_motion").boolean(sample.is_in_motion);
  json.key("len").number(sample.len);
  json.key("slots").number(sample.slots);
  share(sample.len, sample.slots, json.key("fill"));
  json.key("tombstones").number(sample.tombstones);
  sample.group_bytes == 0 ? json.key("group_bytes").null()
                          : json.key("group_bytes").number(sample.group_bytes);
  json.key("old_buckets").number(sample.old_buckets);
  json.key("evacuated_buckets").number(sample.evacuated_buckets);
  json.key("bytes").number(sample.bytes.total());
  append_bytes(map.by_cause, json);
  json.key("rebuilt_bytes").number(map.rebuilt_bytes);
  json.key("reclaimable_bytes").number(map.reclaimable_bytes);
  const bool has_residency = report.totals.resident_bytes.has_value();
  has_residency ? json.key("resident_bytes").number(sample.resident_bytes)
                : json.key("resident_bytes").null();
  has_residency ? json.key("swapped_bytes").number(sample.swapped_bytes)
                : json.key("swapped_bytes").null();
  json.key("history").open_object();
  json.key("was_hinted").boolean(sample.history.was_hinted);
  json.key("has_grown").boolean(sample.history.has_grown);
  json.key("has_deletions").boolean(sample.history.has_deletions);
  json.key("was_cleared").boolean(sample.history.was_cleared);
  json.close_object();
  append_owner_keys(map, json);
  or_null(name_of(map.cause), json.key("cause"));
  or_null(map.explanation, json.key("explanation"));
  or_null(map.advice, json.key("advice"));
  json.close_object();
}

void append_group(const MapGroup &group, MapGroupBy group_by, JsonWriter &json) {
  json.open_object();
  append_type(group, json);
  append_group_keys(group, group_by, json);
  append_totals_keys(group.totals, json);
  json.close_object();
}

// The document up to the first map.
void append_front(const MapsReport &report, JsonWriter &json) {
  json.open_object();
  json.key("schema").string("mapscope.maps/1");
  append_process(report, json);
  append_heap(report.heap, json);
  append_totals(report, json);
  append_counts(report, json);
  append_remarks(report, json);
  append_owner_counts(report, true, json);
  json.key("selected").number(report.selected);
  json.key("groups").open_array();
  for (const MapGroup &group : report.groups)
    append_group(group, report.group_by, json);
  json.close_array();
  json.key("maps").open_array();
}

} // namespace

void write_maps_json(const MapsReport &report, const TextSink &sink) {
  std::string piece;
  JsonWriter json{piece};
  append_front(report, json);
  for (const JudgedMap &map : report.maps) {
    append_map(report, map, json);
    if (piece.size() < kPieceBytes)
      continue;
    // The writer looks at the last character to tell whether a comma is due.
    sink(std::string_view{piece}.substr(0, piece.size() - 1));
    piece.erase(0, piece.size() - 1);
  }
  json.close_array();
  json.close_object();
  piece += '\n';
  sink(piece);
}

std::string maps_json(const MapsReport &report) {
  std::string out;
  write_maps_json(report, [&out](std::string_view piece) { out += piece; });
  return out;
}

std::string map_explanation_json(const MapsReport &report, const MapExplanation &map) {
  std::string out;
  JsonWriter json{out};
  json.open_object();
  json.key("schema").string("mapscope.map/1");
  append_process(report, json);
  json.key("map");
  append_map(report, map.map, json);
  append_anatomy(map.anatomy, json);
  append_layout(map.type, json);
  append_owner_steps(map, json);
  append_owner_counts(report, false, json);
  append_remarks(report, json);
  json.close_object();
  out += '\n';
  return out;
}

} // namespace mapscope
