// The fields of all that a recording keeps besides records: one description for both directions.
//
// A field that is added here changes the format: see kRecordingKind.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "flow/run_observer.h"
#include "wire/archive.h"

namespace mapscope {

template <> inline constexpr std::uint64_t enumerator_count<Machine> = 2;

template <typename Archive> void exchange(Archive &archive, Like<RunStart> auto &start) {
  archive(start.machine, start.time_ns, start.wall_offset_ns, start.utc_offset_seconds,
          start.has_several_processes);
}

template <typename Archive> void exchange(Archive &archive, Like<ProcessKey> auto &process) {
  archive(process.pid, process.start_time_ns);
}

template <typename Archive> void exchange(Archive &archive, Like<LoadBias> auto &bias) {
  archive(bias.value);
}

template <typename Archive> void exchange(Archive &archive, Like<ElfAddress> auto &address) {
  archive(address.value);
}

template <typename Archive> void exchange(Archive &archive, Like<VerifyScope> auto &scope) {
  archive(scope.windows, scope.outside_refined, scope.covered_operations, scope.covered_heap);
}

// Its facts and names are items of their own, and go before it by their numbers.
template <typename Archive> void exchange(Archive &archive, Like<TargetStart> auto &target) {
  archive(target.index, target.time_ns, target.process, target.tgid, target.exe, target.load_bias,
          target.scope, target.returns_probed, target.is_first, target.warnings);
}

// All members are counters of 64 bits.
template <typename Archive> void exchange(Archive &archive, Like<target_counts> auto &counts) {
  using Words = std::array<std::uint64_t, sizeof(target_counts) / sizeof(std::uint64_t)>;
  auto words = std::bit_cast<Words>(counts);
  archive(words);
  if constexpr (!std::is_const_v<std::remove_reference_t<decltype(counts)>>)
    counts = std::bit_cast<target_counts>(words);
}

template <typename Archive> void exchange(Archive &archive, Like<TargetEnd> auto &end) {
  archive(end.index, end.counts);
}

template <typename Archive> void exchange(Archive &archive, Like<Remark> auto &remark) {
  archive(remark.is_doubt, remark.sentence);
}

template <typename Archive> void exchange(Archive &archive, Like<GoroutineStack> auto &goroutine) {
  archive(goroutine.goid, goroutine.status, goroutine.pc, goroutine.sp, goroutine.fp,
          goroutine.stack_hi, goroutine.words_address, goroutine.words);
}

template <typename Archive>
void exchange(Archive &archive, Like<GoroutineSnapshot> auto &snapshot) {
  archive(snapshot.index, snapshot.time_ns, snapshot.is_complete, snapshot.goroutines);
}

template <typename Archive> void exchange(Archive &archive, Like<event_stats> auto &stats) {
  archive(stats.sent, stats.lost_ring_full);
}

template <typename Archive> void exchange(Archive &archive, Like<VerifyCost> auto &cost) {
  archive(cost.tool_cpu_ns, cost.kernel_cpu_ns, cost.probe_hits);
}

template <typename Archive> void exchange(Archive &archive, Like<CommandEnd> auto &command) {
  archive(command.exit_status, command.signal);
}

template <typename Archive> void exchange(Archive &archive, Like<RunEnd> auto &end) {
  archive(end.time_ns, end.events, end.cost, end.command);
}

} // namespace mapscope
