// The fields of all that the daemon's rules are told, named once for writing and for reading.
#pragma once

#include <concepts>
#include <type_traits>

#include "flow/rule_input.h"

namespace mapscope {

// The only number that may be below 0: entries become fewer, too.
inline constexpr const char *kSignedField = "entries_per_second";

// The fields of each struct. `field(name, value)` is the writer's or the reader's.
template <typename Archive, typename T>
concept Of = std::same_as<std::remove_const_t<Archive>, T>;

template <Of<ProcessKey> T> void fields(T &key, auto &&field) {
  field("pid", key.pid);
  field("start_time_ns", key.start_time_ns);
}
template <Of<CgroupIdentity> T> void fields(T &cgroup, auto &&field) {
  field("path", cgroup.path);
  field("container_id", cgroup.container_id);
  field("pod_uid", cgroup.pod_uid);
  field("unit", cgroup.unit);
}
template <Of<ProcessIdentity> T> void fields(T &process, auto &&field) {
  field("key", process.key);
  field("exe", process.exe);
  field("command_line", process.command_line);
  field("uid", process.uid);
  field("user", process.user);
  field("cgroup", process.cgroup);
}
template <Of<SourceFrame> T> void fields(T &frame, auto &&field) {
  field("function", frame.function);
  field("file", frame.file);
  field("line", frame.line);
  field("inlined", frame.inlined);
}
template <Of<SampledMap> T> void fields(T &map, auto &&field) {
  field("address", map.address);
  field("seed", map.seed);
  field("type", map.type);
  field("owner", map.owner);
  field("site", map.site);
  field("unreachable", map.is_unreachable);
  field("len", map.len);
  field("slots", map.slots);
  field("bytes", map.bytes);
  field("reclaimable_bytes", map.reclaimable_bytes);
  field("cause", map.cause);
  field("explanation", map.explanation);
  field("advice", map.advice);
}
template <Of<HeapStatistics> T> void fields(T &heap, auto &&field) {
  field("live_bytes", heap.live_bytes);
  field("allocated_bytes", heap.allocated_bytes);
  field("in_use_bytes", heap.in_use_bytes);
  field("idle_bytes", heap.idle_bytes);
  field("released_bytes", heap.released_bytes);
  field("goal_bytes", heap.goal_bytes);
  field("limit_bytes", heap.limit_bytes);
  field("gc_cycles", heap.gc_cycles);
  field("objects_allocated", heap.objects_allocated);
  field("objects_freed", heap.objects_freed);
}
template <Of<MemoryLimits> T> void fields(T &limits, auto &&field) {
  field("resident_bytes", limits.resident_bytes);
  field("cgroup_bytes", limits.cgroup_bytes);
  field("cgroup_limit_bytes", limits.cgroup_limit_bytes);
  field("go_used_bytes", limits.go_used_bytes);
  field("go_limit_bytes", limits.go_limit_bytes);
}
template <Of<SiteRate> T> void fields(T &rate, auto &&field) {
  field("site", rate.site);
  field("type", rate.type);
  field("growths", rate.growths);
  field("creations", rate.creations);
  field("growths_per_minute", rate.growths_per_minute);
  field("creations_per_second", rate.creations_per_second);
  field("relative_error", rate.relative_error);
  field("slots_max", rate.slots_max);
}
template <Of<FileIoCall> T> void fields(T &call, auto &&field) {
  field("call", call.call);
  field("path", call.path);
  field("operation", call.operation);
  field("site", call.site);
  field("cause", call.cause);
  field("count", call.count);
}
template <Of<ProcessAppeared> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
}
template <Of<ProcessEnded> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
}
template <Of<CensusSample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("heap", input.heap);
  field("map_count", input.map_count);
  field("map_entries", input.map_entries);
  field("map_bytes", input.map_bytes);
  field("map_reclaimable_bytes", input.map_reclaimable_bytes);
  field("map_reclaimable_unknown", input.map_reclaimable_unknown);
  field("allocated_bytes", input.allocated_bytes);
  field("allocated_by_maps_bytes", input.allocated_by_maps_bytes);
  field("limits", input.limits);
  field("maps", input.maps);
  field("maps_left_out", input.maps_left_out);
  field("maps_unsettled", input.maps_unsettled);
  field("partial", input.is_partial);
  field("unchanged", input.is_unchanged);
}
template <Of<RateSample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("watched_ns", input.watched_ns);
  field("hits", input.hits);
  field("lost", input.lost);
  field("sites", input.sites);
}
template <Of<MisuseSample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("message", input.message);
  field("fatal", input.is_fatal);
  field("type", input.type);
  field("site", input.site);
  field("goroutine", input.goroutine);
  field("others", input.others);
}
template <Of<VerifySample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("verdict", input.verdict);
  field("reasons", input.reasons);
  field("operations", input.operations);
  field("duration_ns", input.duration_ns);
  field("violations", input.violations);
}
template <Of<BpfMapProgram> T> void fields(T &program, auto &&field) {
  field("id", program.id);
  field("name", program.name);
  field("type", program.type);
}
template <Of<BpfMapHolder> T> void fields(T &holder, auto &&field) {
  field("process", holder.process);
  field("directly", holder.directly);
}
template <Of<BpfMapFacts> T> void fields(T &map, auto &&field) {
  field("id", map.id);
  field("name", map.name);
  field("type", map.type);
  field("type_number", map.type_number);
  field("key_bytes", map.key_bytes);
  field("value_bytes", map.value_bytes);
  field("max_entries", map.max_entries);
  field("flags", map.flags);
  field("flag_names", map.flag_names);
  field("extra", map.extra);
  field("btf_id", map.btf_id);
  field("key_type", map.key_type);
  field("value_type", map.value_type);
  field("frozen", map.is_frozen);
  field("memory_bytes", map.memory_bytes);
  field("memory_method", map.memory_method);
  field("pinned_paths", map.pinned_paths);
  field("programs", map.programs);
  field("holders", map.holders);
  field("owner", map.owner);
  field("created_before_wall_ns", map.created_before_wall_ns);
  field("created_by_word", map.created_by_word);
  field("own", map.is_own);
  field("problem", map.problem);
}
template <Of<BpfMapFill> T> void fields(T &fill, auto &&field) {
  field("entries", fill.entries);
  field("used_bytes", fill.used_bytes);
  field("method", fill.method);
  field("error", fill.error);
  field("fill", fill.fill);
  field("note", fill.note);
}
template <Of<BpfRate> T> void fields(T &rate, auto &&field) {
  field("exact", rate.exact);
  field("estimate", rate.estimate);
  field("lower", rate.lower);
  field("upper", rate.upper);
  field("note", rate.note);
}
template <Of<BpfMapRates> T> void fields(T &rates, auto &&field) {
  field("window_ns", rates.window_ns);
  field("system_lookups", rates.system_lookups);
  field("system_updates", rates.system_updates);
  field("system_deletes", rates.system_deletes);
  field("program_lookups", rates.program_lookups);
  field("program_updates", rates.program_updates);
  field("program_deletes", rates.program_deletes);
  field("insert_failures", rates.insert_failures);
  field("sees_program_failures", rates.sees_program_failures);
  field("lost", rates.lost);
}
template <Of<BpfKeyCount> T> void fields(T &count, auto &&field) {
  field("key", count.key);
  field("count", count.count);
}
template <Of<BpfKeyDistribution> T> void fields(T &keys, auto &&field) {
  field("of", keys.of);
  field("sampled", keys.sampled);
  field("distinct", keys.distinct);
  field("top", keys.top);
  field("prefixes", keys.prefixes);
  field("entropy_bits", keys.entropy_bits);
}
template <Of<BpfTimeToFull> T> void fields(T &to_full, auto &&field) {
  field("seconds", to_full.seconds);
  field("lower", to_full.lower);
  field("upper", to_full.upper);
  field(kSignedField, to_full.entries_per_second);
  field("note", to_full.note);
}
template <Of<BpfMapSample> T> void fields(T &map, auto &&field) {
  field("facts", map.facts);
  field("fill", map.fill);
  field("rates", map.rates);
  field("time_to_full", map.time_to_full);
  field("keys", map.keys);
  field("key_file", map.key_file);
}
template <Of<BpfMapsLook> T> void fields(T &look, auto &&field) {
  field("time_ns", look.time_ns);
  field("maps", look.maps);
  field("cpu_ns", look.cpu_ns);
  field("vanished", look.vanished);
  field("not_counted", look.not_counted);
  field("problems", look.problems);
}
template <Of<BpfMapsSample> T> void fields(T &sample, auto &&field) {
  field("time_ns", sample.time_ns);
  field("look", sample.look);
}

} // namespace mapscope
