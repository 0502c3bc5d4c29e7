// Verdicts for the tests of the two reports: one clean, one violated.
#pragma once

#include "flow/verdict.h"

namespace mapscope {

inline AttributedCall gc_trace_write() {
  AttributedCall call;
  call.name = "write";
  call.time_ns = 1'000'000;
  call.tid = 101;
  call.number = 1;
  call.arguments = {2, 0xc000010000, 12, 0, 0, 0};
  call.klass = call.kernel_class = CALL_CLASS_FILE;
  call.place = call.kernel_place = CALL_INSIDE;
  call.descriptor = DESCRIPTOR_FILE;
  call.witnesses = {.window = true, .stack = true};
  call.goroutine = 1;
  call.result = 12;
  call.path = "/var/log/gc.log";
  call.operation = "growth";
  call.site = SourceFrame{.function = "main.fill", .file = "/src/main.go", .line = 12};
  call.cause = "the garbage collector prints its trace";
  call.stack = {{{.function = "runtime.write1", .file = "sys.s", .line = 5}},
                {},
                {{.function = "main.fill", .file = "/src/main.go", .line = 12}}};
  return call;
}

inline Verdict clean_verdict() {
  Verdict verdict;
  verdict.outcome = Outcome::clean;
  verdict.run.target = {.process = {.pid = 100, .start_time_ns = 1},
                        .exe = "/srv/app",
                        .go_version = "go1.26.8",
                        .map_implementation = MapImplementation::swiss,
                        .build_id = "abcd"};
  verdict.run.duration_ns = 1'200'000'000;
  verdict.run.scope.covered_operations.set();
  verdict.run.cost = {.tool_cpu_ns = 12'000'000, .kernel_cpu_ns = {}, .probe_hits = 4123};
  verdict.counts.kernel.operations[MAP_OPERATION_NEW_MAP] = 10;
  verdict.counts.kernel.operations[MAP_OPERATION_REHASH] = 31;
  verdict.counts.events[EVENT_KIND_SYSTEM_CALL] = {.sent = 99, .lost_ring_full = 0};
  verdict.counts.events[EVENT_KIND_SYSTEM_CALL_RESULT] = {.sent = 1, .lost_ring_full = 0};
  verdict.counts.calls = {{"mmap", CALL_CLASS_MEMORY, 2, 19}, {"read", CALL_CLASS_FILE, 0, 57}};
  verdict.operations = {.created = 10, .grown = 31, .split = 0, .cleared = 0, .observed = 41};
  verdict.heap_inside = {.large_allocations = 4,
                         .large_allocation_bytes = 7'340'032,
                         .grown_count = 1,
                         .grown_bytes = 8'388'608};
  verdict.inside[CALL_CLASS_MEMORY] = 2;
  verdict.inside[CALL_CLASS_SCHEDULING] = 1;
  verdict.outside[CALL_CLASS_FILE] = 57;
  verdict.outside[CALL_CLASS_MEMORY] = 19;
  verdict.memory_calls = {{"brk", {.calls = 0, .inside = 0, .bytes = 0}},
                          {"mmap", {.calls = 21, .inside = 2, .bytes = 75'497'472}},
                          {"mlockall", {.calls = 1, .inside = 0, .bytes = {}}}};
  verdict.witnesses = {.both = 2, .window_only = 0, .stack_only = 0, .under_write = 1};
  verdict.outside_examples = {{"openat", "/etc/hosts"}, {"read", "/proc/self/maps"}};
  return verdict;
}

inline Verdict violated_verdict() {
  Verdict verdict = clean_verdict();
  verdict.outcome = Outcome::violated;
  verdict.violations = {{.first = gc_trace_write(), .count = 39}};
  verdict.file_calls_inside = 39;
  verdict.inside[CALL_CLASS_FILE] = 39;
  return verdict;
}

inline Verdict inconclusive_verdict() {
  Verdict verdict = clean_verdict();
  verdict.outcome = Outcome::inconclusive;
  verdict.reasons = {"The ring buffer was full: 5 events lost. --buffer gives it more room."};
  verdict.counts.events[EVENT_KIND_SYSTEM_CALL].lost_ring_full = 5;
  return verdict;
}

} // namespace mapscope
