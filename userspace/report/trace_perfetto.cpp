// Slices ("X"), instants ("i"), counters ("C") and names of tracks ("M").
#include "report/trace_perfetto.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "base/overloaded.h"
#include "flow/memory_calls.h"

namespace mapscope {

namespace {

// Thread numbers are below 2^22, goroutine numbers grow from 1: so threads are told apart from
// goroutines by a bit. The UI keeps 32 bits; goroutines that are 2^31 apart would share a track.
constexpr std::uint64_t kThreadBit = std::uint64_t{1} << 31;

// Operations that wait, one a goroutine; more are let go.
constexpr std::size_t kWaitingMax = 4'096;

std::string_view category_of(TraceKind kind) {
  switch (kind) {
  case TraceKind::heap_grown:
  case TraceKind::large_allocation:
    return "heap";
  case TraceKind::memory_call:
  case TraceKind::file_call:
    return "call";
  case TraceKind::process_exec:
  case TraceKind::process_exit:
    return "process";
  default:
    return "map";
  }
}

// What calls inside such an operation say that they are in (flow/attributed_event.h).
std::string_view operation_word(TraceKind kind) {
  switch (kind) {
  case TraceKind::map_created:
    return "creation";
  case TraceKind::map_grown:
  case TraceKind::map_split:
    return "growth";
  case TraceKind::map_rehashed:
    return "prune";
  case TraceKind::map_cleared:
    return "clear";
  case TraceKind::map_cloned:
    return "copy";
  default:
    return "";
  }
}

} // namespace

std::uint64_t TracePerfetto::TrackHash::operator()(const Track &track) const {
  return mix_bits(track.number ^ mix_bits(track.pid));
}

void TracePerfetto::begin(std::string &out) const {
  out += R"({"displayTimeUnit":"ns","traceEvents":[)";
}

JsonWriter TracePerfetto::opened(std::string_view phase, std::string_view name, Track track,
                                 std::string &out) {
  out += std::exchange(is_empty_, false) ? "\n" : ",\n";
  JsonWriter json{out};
  json.open_object();
  json.key("ph").string(phase);
  json.key("name").string(name);
  json.key("pid").number(track.pid);
  json.key("tid").number(track.number);
  return json;
}

void TracePerfetto::append_name(std::string_view what, Track track, std::string_view name,
                                std::string &out) {
  JsonWriter json = opened("M", what, track, out);
  json.key("args").open_object();
  json.key("name").string(name);
  json.close_object();
  json.close_object();
}

void TracePerfetto::process(const ProcessKey &process, std::string_view exe, std::string &out) {
  append_name("process_name", {.pid = process.pid}, exe, out);
}

TracePerfetto::Track TracePerfetto::track_of(const TraceEvent &event, std::string &out) {
  Track track{.pid = event.process.pid,
              .number = event.goroutine ? *event.goroutine % kThreadBit : kThreadBit | event.tid};
  if (named_.find(track) == nullptr) {
    named_.insert(track, true);
    std::string name = event.goroutine ? fmt::format("goroutine {}", *event.goroutine)
                                       : fmt::format("thread {}", event.tid);
    append_name("thread_name", track, name, out);
  }
  return track;
}

void TracePerfetto::append(const TraceEvent &event, std::string &out) {
  Track track = track_of(event, out);
  std::visit(overloaded{[&](const MapChange &) {
                          flush(track, out);
                          if (waiting_.size() == kWaitingMax)
                            flush_all(out);
                          waiting_.emplace(track, Operation{.event = event});
                        },
                        [&](const HeapRequest &request) {
                          extend_waiting(track, request.operation, event.time_ns, out);
                          append_instant(event, track, out);
                          if (event.kind == TraceKind::heap_grown)
                            append_heap_counter(event, out);
                        },
                        [&](const std::shared_ptr<const AttributedCall> &call) {
                          extend_waiting(track, call->operation,
                                         event.time_ns + call->duration_ns.value_or(0), out);
                          append_call(event, *call, track, out);
                        },
                        [&](const auto &) {
                          flush(track, out);
                          append_instant(event, track, out);
                        }},
             event.what);
}

void TracePerfetto::extend_waiting(Track track, const std::optional<std::string> &operation,
                                   std::uint64_t end_ns, std::string &out) {
  auto waiting = waiting_.find(track);
  if (waiting == waiting_.end())
    return;
  if (operation && *operation == operation_word(waiting->second.event.kind))
    waiting->second.end_ns = std::max(waiting->second.end_ns, end_ns);
  else
    flush(track, out);
}

void TracePerfetto::flush(Track track, std::string &out) {
  auto waiting = waiting_.find(track);
  if (waiting == waiting_.end())
    return;
  append_operation(waiting->second, track, out);
  waiting_.erase(waiting);
}

void TracePerfetto::flush_all(std::string &out) {
  for (const auto &[track, operation] : waiting_)
    append_operation(operation, track, out);
  waiting_.clear();
}

void TracePerfetto::append_operation(const Operation &operation, Track track, std::string &out) {
  const TraceEvent &event = operation.event;
  if (operation.end_ns <= event.time_ns)
    return append_instant(event, track, out);
  JsonWriter json = opened("X", name_of(event.kind), track, out);
  json.key("cat").string(category_of(event.kind));
  json.key("ts").microseconds(event.time_ns);
  json.key("dur").microseconds(operation.end_ns - event.time_ns);
  append_args(event, json);
  json.close_object();
}

void TracePerfetto::append_instant(const TraceEvent &event, Track track, std::string &out) {
  JsonWriter json = opened("i", name_of(event.kind), track, out);
  json.key("cat").string(category_of(event.kind));
  json.key("ts").microseconds(event.time_ns);
  const bool is_of_process = category_of(event.kind) == "process";
  json.key("s").string(is_of_process ? "p" : "t"); // how far the line reaches
  append_args(event, json);
  json.close_object();
}

void TracePerfetto::append_call(const TraceEvent &event, const AttributedCall &call, Track track,
                                std::string &out) {
  // A call that did not return, or was not waited for, has no length.
  JsonWriter json = opened(call.duration_ns ? "X" : "i", call.name, track, out);
  json.key("cat").string(category_of(event.kind));
  json.key("ts").microseconds(event.time_ns);
  if (call.duration_ns)
    json.key("dur").microseconds(*call.duration_ns);
  else
    json.key("s").string("t");
  append_args(event, json);
  json.close_object();
}

void TracePerfetto::append_heap_counter(const TraceEvent &event, std::string &out) {
  const Track process{.pid = event.process.pid};
  std::uint64_t *total = heap_bytes_.find(process);
  if (total == nullptr)
    total = &heap_bytes_.insert(process, 0);
  *total += std::get<HeapRequest>(event.what).bytes;
  JsonWriter json = opened("C", "asked of the kernel by the heap", process, out);
  json.key("ts").microseconds(event.time_ns);
  json.key("args").open_object();
  json.key("bytes").number(*total);
  json.close_object();
  json.close_object();
}

// What a click on a slice shows: only what is known.
void TracePerfetto::append_args(const TraceEvent &event, JsonWriter &json) {
  auto number = [&json](std::string_view name, const std::optional<std::uint64_t> &value) {
    if (value)
      json.key(name).number(*value);
  };
  auto map = [&](const std::optional<MapIdentity> &identity, const MapTypePtr &type) {
    if (type)
      json.key("type").string(type->name);
    if (!identity)
      return;
    std::string place;
    labels_.append_map(event, *identity, place);
    json.key("map").string(place);
  };
  json.key("args").open_object();
  std::visit(overloaded{[&](const MapChange &change) {
                          map(change.map, change.type);
                          number("hint", change.hint);
                          number("len", change.len);
                          number("slots_before", change.slots_before);
                          number("slots", change.slots_after);
                          number("table_slots_before", change.table_slots_before);
                          number("bytes", change.bytes);
                        },
                        [&](const HeapRequest &request) {
                          number("bytes", request.bytes);
                          if (request.operation)
                            json.key("operation").string(*request.operation);
                        },
                        [&](const std::shared_ptr<const AttributedCall> &call) {
                          number("bytes", asked_bytes(*call));
                          if (call->result)
                            json.key("result").number(*call->result);
                          if (call->path)
                            json.key("path").string(*call->path);
                          if (call->operation)
                            json.key("operation").string(*call->operation);
                        },
                        [&](const std::shared_ptr<const MapMisuse> &misuse) {
                          json.key("message").string(misuse->message);
                          map(misuse->map, misuse->type);
                        },
                        [&](const std::shared_ptr<const ProcessChange> &change) {
                          if (!change->path.empty())
                            json.key("path").string(change->path);
                          if (change->exit_status)
                            json.key("exit_status").number(*change->exit_status);
                          if (change->signal)
                            json.key("signal").number(*change->signal);
                        }},
             event.what);
  if (site_of(event) != nullptr)
    json.key("site").string(labels_.site(event));
  json.key("thread").number(event.tid);
  json.close_object();
}

void TracePerfetto::end(std::string &out) {
  flush_all(out);
  out += "\n]}\n";
}

} // namespace mapscope
