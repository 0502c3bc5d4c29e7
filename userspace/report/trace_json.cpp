// Keys in the order of docs/json.md, written once per event without a document tree.
#include "report/trace_json.h"

#include <algorithm>
#include <memory>
#include <variant>

#include "flow/memory_calls.h"
#include "flow/operation_names.h"
#include "report/event_losses.h"
#include "report/verify_words.h"

namespace mapscope {

namespace {

constexpr std::string_view kFirstKeys = R"("schema":"mapscope.trace/1","event":")";

void append_frame(const SourceFrame &frame, JsonWriter &json) {
  json.open_object();
  json.key("function").string(frame.function);
  frame.file.empty() ? json.key("file").null() : json.key("file").string(frame.file);
  frame.line == 0 ? json.key("line").null() : json.key("line").number(frame.line);
}

void append_stack(const TraceEvent &event, JsonWriter &json) {
  if (!event.stack)
    return json.key("stack").null();
  json.key("stack").open_array();
  for (const SourceFrames &frames : event.stack->frames)
    for (const SourceFrame &frame : frames) {
      append_frame(frame, json);
      json.key("inlined").boolean(frame.inlined);
      json.close_object();
    }
  json.close_array();
  json.key("stack_complete").boolean(event.stack->is_complete);
}

void append_map(const std::optional<MapIdentity> &map, JsonWriter &json) {
  if (!map)
    return json.key("map").null();
  if (map->address)
    json.key("map").hex(map->address->value);
  else
    json.key("map").null();
  json.key("map_number").number(map->number);
  json.key("stack_distance").number(map->stack_distance);
  json.key("creation_seen").boolean(map->creation_seen);
}

std::string_view name_of(map_operation operation) {
  const auto *found = std::ranges::find(kMapOperationNames, operation,
                                        [](const auto &entry) { return entry.first; });
  return found == kMapOperationNames.end() ? std::string_view{} : found->second;
}

std::string_view name_of(OtherGoroutine::Evidence evidence) {
  switch (evidence) {
  case OtherGoroutine::Evidence::reported:
    return "reported";
  case OtherGoroutine::Evidence::on_stack:
    return "on_stack";
  case OtherGoroutine::Evidence::grew_it:
    return "grew_it";
  }
  return "";
}

template <typename T> const T &value_of(const T &value) { return value; }
template <typename T> const T &value_of(const std::shared_ptr<const T> &value) { return *value; }

void append_command(const std::optional<CommandEnd> &command, JsonWriter &json) {
  json.key("command");
  if (!command)
    return json.null();
  json.open_object();
  json.key("exit_status").number(command->exit_status);
  json.key("signal").number(command->signal);
  json.close_object();
}

} // namespace

void TraceJson::append(const TraceEvent &event, std::string &out) {
  out += '{';
  out += kFirstKeys;
  out += name_of(event.kind);
  out += '"';
  JsonWriter json{out};
  json.key("time_ns").number(event.time_ns);
  json.key("pid").number(event.process.pid);
  json.key("tid").number(event.tid);
  json.key("goroutine").number(event.goroutine);
  std::visit([&](const auto &what) { append_what(value_of(what), json); }, event.what);
  append_site(event, json);
  if (options_.show_stacks)
    append_stack(event, json);
  out += "}\n";
}

void TraceJson::append_site(const TraceEvent &event, JsonWriter &json) {
  const SourceFrame *site = site_of(event);
  auto text = [site] {
    std::string object;
    JsonWriter writer{object};
    append_frame(*site, writer);
    writer.close_object();
    return object;
  };
  json.key("site");
  if (site == nullptr)
    json.null();
  else if (event.stack && event.stack->site && site == &*event.stack->site)
    json.raw(sites_.get(event.stack, text));
  else
    json.raw(text()); // a call has a site of its own, and calls are few
}

void TraceJson::append_type(const MapTypePtr &type, JsonWriter &json) {
  json.key("type");
  if (!type)
    return json.null();
  json.raw(types_.get(type, [&type] {
    std::string text;
    append_json_string(type->name, text);
    return text;
  }));
}

void TraceJson::append_what(const MapChange &change, JsonWriter &json) {
  append_map(change.map, json);
  json.key("first_sight").boolean(change.is_first_sight);
  append_type(change.type, json);
  json.key("operation").string(name_of(change.operation));
  json.key("hint").number(change.hint);
  json.key("len").number(change.len);
  json.key("slots_before").number(change.slots_before);
  json.key("slots").number(change.slots_after);
  json.key("table_slots_before").number(change.table_slots_before);
  json.key("bytes").number(change.bytes);
}

void TraceJson::append_what(const HeapRequest &request, JsonWriter &json) {
  json.key("bytes").number(request.bytes);
  json.key("operation").string(request.operation);
}

void TraceJson::append_what(const AttributedCall &call, JsonWriter &json) {
  json.key("system_call").string(call.name);
  json.key("arguments").open_array();
  if (!call.is_io_uring)
    for (std::uint64_t argument : call.arguments)
      json.hex(argument);
  json.close_array();
  json.key("result").number(call.result);
  json.key("duration_ns").number(call.duration_ns);
  json.key("bytes").number(asked_bytes(call));
  json.key("path").string(call.path);
  json.key("descriptor").string(word_for(call.descriptor));
  json.key("inside").boolean(call.place != CALL_OUTSIDE);
  json.key("operation").string(call.operation);
  json.key("witnesses").open_array();
  if (call.witnesses.window)
    json.string("window");
  if (call.witnesses.stack)
    json.string("stack");
  json.close_array();
  json.key("cause").string(call.cause);
}

void TraceJson::append_what(const MapMisuse &misuse, JsonWriter &json) {
  json.key("message").string(misuse.message);
  json.key("fatal").boolean(misuse.is_fatal);
  append_map(misuse.map, json);
  append_type(misuse.type, json);
  json.key("others").open_array();
  for (const OtherGoroutine &other : misuse.others) {
    json.open_object();
    json.key("goroutine").number(other.goroutine);
    json.key("evidence").string(name_of(other.evidence));
    json.key("site");
    if (other.site) {
      append_frame(*other.site, json);
      json.close_object();
    } else {
      json.null();
    }
    json.close_object();
  }
  json.close_array();
}

void TraceJson::append_what(const ProcessChange &change, JsonWriter &json) {
  change.path.empty() ? json.key("path").null() : json.key("path").string(change.path);
  json.key("exit_status").number(change.exit_status);
  json.key("signal").number(change.signal);
}

void TraceJson::end(const TraceEnd &end, std::string &out) const {
  const EventLosses losses = event_losses(end.events, end.lost, end.dropped);
  out += '{';
  out += kFirstKeys;
  out += "end\"";
  JsonWriter json{out};
  json.key("time_ns").number(end.time_ns);
  json.key("events").open_object();
  json.key("sent").number(losses.sent);
  json.key("lost").open_object();
  for (const NamedLoss &loss : losses.lost)
    json.key(loss.name).number(loss.count);
  json.close_object();
  json.key("by_kind").open_object();
  for (const NamedKind &kind : losses.by_kind) {
    json.key(kind.name).open_object();
    json.key("sent").number(kind.stats.sent);
    json.key("lost").number(kind.stats.lost_ring_full);
    json.close_object();
  }
  json.close_object();
  json.key("unknown").open_object();
  for (const NamedCount &unknown : end.unknown)
    json.key(unknown.name).number(unknown.count);
  json.close_object();
  json.close_object();
  append_command(end.command, json);
  json.key("notes").open_array();
  for (const std::string &note : end.notes)
    json.string(note);
  json.close_array();
  out += "}\n";
}

} // namespace mapscope
