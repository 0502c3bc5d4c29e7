// One row for each line and type; a map's growth counts for the line that made it, where known.
#include "judge/trace_summary.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>
#include <variant>

#include "base/overloaded.h"
#include "flow/memory_calls.h"

namespace mapscope {

namespace {

constexpr std::uint32_t kNotKept = 0; // the line that stands for all that were not kept
constexpr std::uint32_t kNoId = ~0U;  // of a site or a type beyond the limit

std::uint64_t &counter_of(TraceSummaryRow &row, TraceKind kind) {
  switch (kind) {
  case TraceKind::map_created:
    return row.created;
  case TraceKind::map_cloned:
    return row.cloned;
  case TraceKind::map_split:
    return row.split;
  case TraceKind::map_rehashed:
    return row.rehashed;
  case TraceKind::map_cleared:
    return row.cleared;
  default:
    return row.grown;
  }
}

// A clear asks for nothing, and a map of up to eight entries for as little as makes no growth.
bool asks_for_bytes(const TraceEvent &event, const MapChange &change) {
  return event.kind != TraceKind::map_cleared && change.operation != MAP_OPERATION_MAKE_SMALL;
}

auto order_of(const TraceSummaryRow &row) {
  const SourceFrame none;
  const SourceFrame &site = row.site ? *row.site : none;
  return std::tuple(~row.bytes, ~row.operations(), site.function, site.file, site.line, row.type);
}

} // namespace

TraceSummarizer::TraceSummarizer(TraceSummaryLimits limits)
    : limits_(limits), lines_(1), maps_(limits.maps_max) {}

std::uint64_t TraceSummarizer::MapKeyHash::operator()(const MapKey &key) const {
  return mix_bits(key.number ^ mix_bits(key.process.start_time_ns ^ key.process.pid));
}

void TraceSummarizer::add(const TraceEvent &event) {
  std::visit(
      overloaded{[&](const MapChange &change) { add(event, change); },
                 [&](const HeapRequest &request) { add(request); },
                 [&](const std::shared_ptr<const AttributedCall> &call) { add(event, *call); },
                 [&](const std::shared_ptr<const MapMisuse> &) { ++misuses_; },
                 [](const std::shared_ptr<const ProcessChange> &) {}},
      event.what);
}

void TraceSummarizer::add(const TraceEvent &event, const MapChange &change) {
  const Id id = line_of(event, change);
  TraceSummaryRow &row = lines_[id].row;
  ++counter_of(row, event.kind);
  row.bytes += change.bytes.value_or(0);
  row.bytes_not_told += !change.bytes && asks_for_bytes(event, change);
  row.len_max = std::max(row.len_max, change.len);
  if (change.map)
    follow(event, change, id);
}

// What the maps of a line grew to is kept up to date at each growth, so that a map that has to be
// forgotten takes nothing with it.
void TraceSummarizer::follow(const TraceEvent &event, const MapChange &change, Id line) {
  const bool is_new = event.kind == TraceKind::map_created || event.kind == TraceKind::map_cloned;
  MapKey key{.process = event.process, .number = change.map->number};
  FollowedMap *map = maps_.find(key);
  if (map == nullptr) {
    maps_forgotten_ += !is_new && !change.is_first_sight;
    map = &maps_.insert(key, {.grown = {}, .line = line, .creation_seen = is_new});
  }
  if (event.kind != TraceKind::map_grown && event.kind != TraceKind::map_split)
    return;
  if (SizeHints *before = map->grown.growths > 0 ? hints_of(*map) : nullptr)
    before->remove(map->grown);
  map->grown.add(change);
  if (!map->creation_seen)
    map->line = line;
  lines_[map->line].classic = is_classic(change.operation);
  if (SizeHints *hints = hints_of(*map))
    hints->add(map->grown);
}

// Null: of lines that were not kept.
SizeHints *TraceSummarizer::hints_of(const FollowedMap &map) {
  if (map.line == kNotKept)
    return nullptr;
  Line &line = lines_[map.line];
  return map.creation_seen ? &line.made_here : &line.grown_here;
}

TraceSummarizer::Id TraceSummarizer::line_of(const TraceEvent &event, const MapChange &change) {
  const Id site = site_id(event);
  const Id type = type_id(change.type);
  if (site == kNoId || type == kNoId)
    return kNotKept;
  const std::uint64_t key = std::uint64_t{site} << 32 | type;
  if (auto known = line_ids_.find(key); known != line_ids_.end())
    return known->second;
  if (lines_.size() > limits_.rows_max)
    return kNotKept;
  auto id = static_cast<Id>(lines_.size());
  line_ids_.emplace(key, id);
  Line &line = lines_.emplace_back();
  if (const SourceFrame *frame = site_of(event))
    line.row.site = *frame;
  line.row.type = change.type ? change.type->name : "";
  return id;
}

// Stacks are many, sites are few.
TraceSummarizer::Id TraceSummarizer::site_id(const TraceEvent &event) {
  const SourceFrame *site = site_of(event);
  if (site == nullptr)
    return 0;
  return stack_sites_.get(event.stack, [&] {
    std::string name = fmt::format("{}\n{}\n{}", site->function, site->file, site->line);
    if (site_ids_.size() > limits_.rows_max && !site_ids_.contains(name))
      return kNoId;
    return site_ids_.try_emplace(name, static_cast<Id>(site_ids_.size() + 1)).first->second;
  });
}

TraceSummarizer::Id TraceSummarizer::type_id(const MapTypePtr &type) {
  if (!type)
    return 0;
  return known_types_.get(type, [&] {
    if (type_ids_.size() > limits_.rows_max && !type_ids_.contains(type->name))
      return kNoId;
    return type_ids_.try_emplace(type->name, static_cast<Id>(type_ids_.size() + 1)).first->second;
  });
}

void TraceSummarizer::add(const TraceEvent &event, const AttributedCall &call) {
  if (event.kind == TraceKind::file_call) {
    ++file_calls_;
    return;
  }
  auto known = calls_.find(call.name);
  if (known == calls_.end())
    known = calls_.emplace(call.name, CallSummary{.name = call.name}).first;
  CallSummary &total = known->second;
  ++total.calls;
  total.inside += call.place != CALL_OUTSIDE;
  total.errors += call.result && error_number(*call.result) != 0;
  auto bytes = meter_.measure(call);
  total.bytes += bytes.value_or(0);
  total.bytes_not_told += !bytes;
}

void TraceSummarizer::add(const HeapRequest &request) {
  RequestSummary &total = request.request == HEAP_REQUEST_GROW ? heap_grown_ : large_allocations_;
  ++total.count;
  total.bytes += request.bytes;
  if (!request.operation)
    return;
  ++total.inside_count;
  total.inside_bytes += request.bytes;
}

TraceSummary TraceSummarizer::finish(std::uint64_t start_ns, TraceEnd end) const {
  TraceSummary summary;
  summary.duration_ns = end.time_ns - std::min(end.time_ns, start_ns);
  for (Id id = 0; id < lines_.size(); ++id) {
    const Line &line = lines_[id];
    summary.total += line.row;
    if (id == kNotKept) {
      if (line.row.operations() > 0)
        summary.not_kept = line.row;
      continue;
    }
    TraceSummaryRow row = line.row;
    // A hint at the line that makes maps is for all of them, so most of them have to grow.
    if (line.made_here.maps() * 2 > row.created + row.cloned)
      row.hint = line.made_here.best(line.classic);
    if (row.hint)
      row.hint->is_at_creation = true;
    else
      row.hint = line.grown_here.best(line.classic);
    summary.rows.push_back(std::move(row));
  }
  std::ranges::sort(summary.rows, {}, order_of);
  summary.memory_calls.emplace();
  for (const auto &[name, call] : calls_)
    summary.memory_calls->push_back(call);
  summary.maps_forgotten = maps_forgotten_;
  summary.heap_grown = heap_grown_;
  summary.large_allocations = large_allocations_;
  summary.file_calls = file_calls_;
  summary.misuses = misuses_;
  summary.end = std::move(end);
  return summary;
}

} // namespace mapscope
