// Events for the tests of the sinks of `trace`: one of each kind, as a swiss map of Go 1.26 that
// is filled makes them.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "flow/trace_event.h"

namespace mapscope {

inline const ProcessKey kTraced{.pid = 100, .start_time_ns = 1};
inline constexpr std::uint64_t kTraceStart = 5'000'000'000;

inline CallStackPtr fill_stack() {
  static const CallStackPtr stack = [] {
    auto made = std::make_shared<CallStack>();
    made->id = 77;
    made->frames = {
        {{.function = "internal/runtime/maps.(*table).rehash", .file = "/go/table.go", .line = 1}},
        {{.function = "main.put", .file = "/src/app/main.go", .line = 12, .inlined = true},
         {.function = "main.fill", .file = "/src/app/main.go", .line = 31}}};
    made->site = made->frames[1][0];
    return made;
  }();
  return stack;
}

inline MapTypePtr string_to_int() {
  static const MapTypePtr type = std::make_shared<MapType>(
      MapType{.name = "map[string]int", .key_bytes = 16, .element_bytes = 8, .group_bytes = 200});
  return type;
}

inline TraceEvent event_of(TraceKind kind) {
  TraceEvent event;
  event.kind = kind;
  event.process = kTraced;
  event.time_ns = kTraceStart + 1'234'567;
  event.tid = 101;
  event.goroutine = 18;
  event.stack = fill_stack();
  return event;
}

inline MapIdentity map_at(std::uint64_t address, std::uint64_t number) {
  return {.number = number, .address = ProcessAddress{address}, .seed = 0x1234};
}

inline TraceEvent change_of(TraceKind kind, MapChange change) {
  TraceEvent event = event_of(kind);
  change.type = string_to_int();
  event.what = std::move(change);
  return event;
}

inline TraceEvent created_event() {
  return change_of(
      TraceKind::map_created,
      {.operation = MAP_OPERATION_NEW_MAP, .hint = 100, .slots_after = 128, .bytes = 3'488});
}

inline TraceEvent grown_event() {
  return change_of(TraceKind::map_grown, {.operation = MAP_OPERATION_REHASH,
                                          .map = map_at(0xc000012340, 1),
                                          .len = 448,
                                          .slots_before = 512,
                                          .slots_after = 1024,
                                          .table_slots_before = 512,
                                          .bytes = 27'296});
}

inline TraceEvent split_event() {
  return change_of(TraceKind::map_split, {.operation = MAP_OPERATION_REHASH,
                                          .map = map_at(0xc000012340, 1),
                                          .is_first_sight = true,
                                          .len = 5000,
                                          .table_slots_before = 1024,
                                          .bytes = 54'592});
}

inline TraceEvent heap_event() {
  TraceEvent event = event_of(TraceKind::heap_grown);
  event.what = HeapRequest{
      .request = HEAP_REQUEST_GROW, .bytes = std::uint64_t{4} << 20, .operation = "growth"};
  return event;
}

inline TraceEvent large_event() {
  TraceEvent event = event_of(TraceKind::large_allocation);
  event.what = HeapRequest{.request = HEAP_REQUEST_LARGE, .bytes = 139'264, .operation = {}};
  return event;
}

inline AttributedCall mmap_call() {
  AttributedCall call;
  call.process = kTraced;
  call.time_ns = kTraceStart + 1'234'567;
  call.tid = 101;
  call.number = 9;
  call.name = "mmap";
  call.arguments = {0, std::uint64_t{4} << 20, 3, 0x32, ~std::uint64_t{0}, 0};
  call.klass = call.kernel_class = CALL_CLASS_MEMORY;
  call.place = call.kernel_place = CALL_INSIDE;
  call.witnesses = {.window = false, .stack = true};
  call.goroutine = 18;
  call.result = 0xc000400000;
  call.duration_ns = 2'345;
  call.operation = "growth";
  call.site = fill_stack()->site;
  return call;
}

inline AttributedCall write_call() {
  AttributedCall call = mmap_call();
  call.name = "write";
  call.number = 1;
  call.arguments = {2, 0xc000010000, 12, 0, 0, 0};
  call.klass = call.kernel_class = CALL_CLASS_FILE;
  call.descriptor = DESCRIPTOR_FILE;
  call.result = 12;
  call.path = "/var/log/gc.log";
  call.cause = "the garbage collector prints its trace";
  return call;
}

inline TraceEvent call_event(TraceKind kind, AttributedCall call) {
  TraceEvent event = event_of(kind);
  event.goroutine = call.goroutine;
  event.time_ns = call.time_ns;
  event.stack = nullptr;
  event.what = std::make_shared<const AttributedCall>(std::move(call));
  return event;
}

inline TraceEvent outside_event(std::string name, std::array<std::uint64_t, 6> arguments,
                                std::optional<std::int64_t> result) {
  AttributedCall call = mmap_call();
  call.name = std::move(name);
  call.arguments = arguments;
  call.result = result;
  call.place = call.kernel_place = CALL_OUTSIDE;
  call.goroutine = {};
  call.operation = {};
  call.site = {};
  call.witnesses = {};
  return call_event(TraceKind::memory_call, std::move(call));
}

inline TraceEvent misuse_event() {
  MapMisuse misuse{.is_fatal = true,
                   .message = "concurrent map writes",
                   .map = map_at(0xc000012340, 1),
                   .type = string_to_int(),
                   .others = {}};
  misuse.others.push_back(
      {.goroutine = 19,
       .site = SourceFrame{.function = "main.other", .file = "/src/app/main.go", .line = 44},
       .evidence = OtherGoroutine::Evidence::on_stack});
  TraceEvent event = event_of(TraceKind::map_misuse);
  event.what = std::make_shared<const MapMisuse>(std::move(misuse));
  return event;
}

inline TraceEvent process_event(TraceKind kind, ProcessChange change) {
  TraceEvent event = event_of(kind);
  event.goroutine = {};
  event.stack = nullptr;
  event.what = std::make_shared<const ProcessChange>(std::move(change));
  return event;
}

} // namespace mapscope
