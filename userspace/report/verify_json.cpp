// Key by key as docs/json.md has it.
#include "report/verify_json.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "flow/operation_names.h"
#include "report/report_json.h"
#include "report/verify_words.h"

namespace mapscope {

namespace {

Json json_of(Witnesses witnesses) {
  Json list = Json::array();
  if (witnesses.window)
    list.push_back("window");
  if (witnesses.stack)
    list.push_back("stack");
  return list;
}

Json stack_of(const AttributedCall &call) {
  Json stack = Json::array();
  for (const SourceFrames &logical : call.stack)
    for (const SourceFrame &frame : logical)
      stack.push_back(frame_json(frame));
  return stack;
}

Json json_of(const Violation &violation) {
  const AttributedCall &call = violation.first;
  Json arguments = Json::array();
  if (!call.is_io_uring)
    for (std::uint64_t argument : call.arguments)
      arguments.push_back(fmt::format("{:#x}", argument));
  return {{"time_ns", call.time_ns},
          {"count", violation.count},
          {"system_call", call.name},
          {"arguments", arguments},
          {"result", or_null(call.result)},
          {"path", or_null(call.path)},
          {"descriptor", word_for(call.descriptor)},
          {"thread", call.tid},
          {"goroutine", or_null(call.goroutine)},
          {"operation", or_null(call.operation)},
          {"site", call.site ? frame_json(*call.site) : Json(nullptr)},
          {"witnesses", json_of(call.witnesses)},
          {"cause", or_null(call.cause)},
          {"stack", stack_of(call)}};
}

Json target_of(const VerifyTarget &target) {
  return {{"pid", target.process.pid},
          {"exe", target.exe},
          {"go_version", or_null(target.go_version)},
          {"map_implementation", or_null(word_for(target.map_implementation))},
          {"build_id", or_null(target.build_id)}};
}

Json operations_of(const Verdict &verdict) {
  const OperationTotals &totals = verdict.operations;
  Json entered = Json::object();
  for (const auto &[operation, name] : kMapOperationNames)
    if (std::uint64_t count = verdict.counts.kernel.operations[operation]; count > 0)
      entered[std::string{name}] = count;
  return {{"created", or_null(totals.created)},
          {"grown", or_null(totals.grown)},
          {"split", or_null(totals.split)},
          {"cleared", or_null(totals.cleared)},
          {"copied", or_null(totals.copied)},
          {"pruned", or_null(totals.pruned)},
          {"first_groups", or_null(totals.first_groups)},
          {"on_stack", totals.on_stack},
          {"entered", entered}};
}

Json json_of(const HeapTotals &heap) {
  return {{"large_allocations", or_null(heap.large_allocations)},
          {"large_allocation_bytes", or_null(heap.large_allocation_bytes)},
          {"grown_count", or_null(heap.grown_count)},
          {"grown_bytes", or_null(heap.grown_bytes)}};
}

Json heap_of(const Verdict &verdict) {
  Json heap = json_of(verdict.heap_inside);
  heap["outside"] = json_of(verdict.heap_outside);
  return heap;
}

Json json_of(const ClassTotals &totals) {
  Json classes = Json::object();
  for (std::size_t klass = CALL_CLASS_FILE; klass < CALL_CLASS_COUNT; ++klass)
    classes[std::string{word_for(static_cast<call_class>(klass))}] = totals[klass];
  classes["other"] = totals[CALL_CLASS_OTHER];
  return classes;
}

Json system_calls_of(const Verdict &verdict) {
  Json memory = Json::object();
  for (const auto &[name, calls] : verdict.memory_calls)
    memory[name] = {
        {"calls", calls.calls}, {"inside", calls.inside}, {"bytes", or_null(calls.bytes)}};
  Json by_name = Json::object();
  for (const CallCount &count : verdict.counts.calls)
    by_name[count.name] = {{"inside", count.inside}, {"outside", count.outside}};
  Json examples = Json::array();
  for (const FileCallExample &example : verdict.outside_examples)
    examples.push_back({{"system_call", example.call}, {"path", example.path}});
  return {{"inside", json_of(verdict.inside)},
          {"outside", json_of(verdict.outside)},
          {"outside_refined", verdict.run.scope.outside_refined},
          {"memory", memory},
          {"io_uring",
           {{"inside", json_of(verdict.io_uring_inside)},
            {"outside", json_of(verdict.io_uring_outside)}}},
          {"by_name", by_name},
          {"file_calls_outside", examples}};
}

} // namespace

std::string verify_json(const Verdict &verdict) {
  const VerifyRun &run = verdict.run;
  Json violations = Json::array();
  std::ranges::for_each(verdict.violations, [&violations](const Violation &violation) {
    violations.push_back(json_of(violation));
  });
  Json document = {
      {"schema", "mapscope.verify/1"},
      {"verdict", word_for(verdict.outcome)},
      {"reasons", verdict.reasons},
      {"target", target_of(run.target)},
      {"command", command_json(run.command)},
      {"mode", run.scope.windows ? "full" : "light"},
      {"duration_seconds", seconds(run.duration_ns)},
      {"operations", operations_of(verdict)},
      {"heap", heap_of(verdict)},
      {"system_calls", system_calls_of(verdict)},
      {"file_calls_inside", verdict.file_calls_inside},
      {"violations", violations},
      {"violations_not_shown", verdict.violations_not_shown},
      {"witnesses",
       {{"both", or_null(verdict.witnesses.both)},
        {"window_only", or_null(verdict.witnesses.window_only)},
        {"stack_only", verdict.witnesses.stack_only},
        {"under_write", verdict.witnesses.under_write}}},
      {"events", losses_json(event_losses(verdict.counts.events, verdict.counts.kernel.lost,
                                          verdict.counts.dropped))},
      {"cost",
       {{"tool_cpu_seconds", seconds(run.cost.tool_cpu_ns)},
        {"kernel_cpu_seconds", seconds(run.cost.kernel_cpu_ns)},
        {"probe_hits", or_null(run.cost.probe_hits)}}},
      {"notes", run.notes}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace mapscope
