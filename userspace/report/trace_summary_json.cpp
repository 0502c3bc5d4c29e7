// Key by key as docs/json.md has it.
#include "report/trace_summary_json.h"

#include "report/report_json.h"

namespace mapscope {

namespace {

Json hint_of(const std::optional<SizeHint> &hint) {
  if (!hint)
    return nullptr;
  return {{"hint", hint->hint},
          {"slots", hint->slots},
          {"maps", hint->maps},
          {"growths_saved", hint->growths},
          {"bytes_saved", or_null(hint->bytes)},
          {"at_creation", hint->is_at_creation}};
}

Json counts_of(const TraceSummaryRow &row) {
  return {{"created", row.created},
          {"cloned", row.cloned},
          {"grown", row.grown},
          {"split", row.split},
          {"rehashed", row.rehashed},
          {"cleared", row.cleared},
          {"bytes", row.bytes},
          {"bytes_not_told", row.bytes_not_told},
          {"len_max", or_null(row.len_max)}};
}

Json json_of(const TraceSummaryRow &row) {
  Json object = {{"site", row.site ? frame_json(*row.site) : Json(nullptr)},
                 {"type", or_null(row.type)}};
  object.update(counts_of(row));
  object["hint"] = hint_of(row.hint);
  return object;
}

Json json_of(const RequestSummary &requests) {
  return {{"count", requests.count},
          {"bytes", requests.bytes},
          {"inside_count", requests.inside_count},
          {"inside_bytes", requests.inside_bytes}};
}

Json memory_calls_of(const TraceSummary &summary) {
  Json calls = Json::object();
  if (!summary.memory_calls)
    return nullptr;
  for (const CallSummary &call : *summary.memory_calls)
    calls[call.name] = {{"calls", call.calls},
                        {"inside", call.inside},
                        {"errors", call.errors},
                        {"bytes", call.bytes},
                        {"bytes_not_told", call.bytes_not_told}};
  return calls;
}

} // namespace

std::string trace_summary_json(const TraceSummary &summary) {
  const TraceEnd &end = summary.end;
  Json sites = Json::array();
  for (const TraceSummaryRow &row : summary.rows)
    sites.push_back(json_of(row));
  Json unknown = Json::object();
  for (const NamedCount &count : end.unknown)
    unknown[count.name] = count.count;
  Json events = losses_json(event_losses(end.events, end.lost, end.dropped));
  events["unknown"] = unknown;
  Json document = {
      {"schema", "mapscope.trace_summary/1"},
      {"duration_seconds", seconds(summary.duration_ns)},
      {"sites", sites},
      {"other_sites", summary.not_kept ? counts_of(*summary.not_kept) : Json(nullptr)},
      {"totals", counts_of(summary.total)},
      {"maps_forgotten", summary.maps_forgotten},
      {"memory_calls", memory_calls_of(summary)},
      {"heap_grown", summary.heap_grown ? json_of(*summary.heap_grown) : Json(nullptr)},
      {"large_allocations",
       summary.large_allocations ? json_of(*summary.large_allocations) : Json(nullptr)},
      {"file_calls_inside", summary.file_calls},
      {"misuses", summary.misuses},
      {"events", events},
      {"command", command_json(end.command)},
      {"notes", end.notes}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace mapscope
