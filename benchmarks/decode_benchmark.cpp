// How many records a second one core takes through decode: of each kind, and in the mix of a
// busy `verify`. The target is a million.
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include "bpf/contract/events.h"
#include "decode/decode.h"

namespace mapscope {
namespace {

template <typename Body> std::vector<std::byte> record_of(event_kind kind, Body body = {}) {
  event_header header{};
  header.kind = static_cast<__u16>(kind);
  header.size_bytes = sizeof(Body);
  std::memcpy(&body, &header, sizeof(header)); // the header comes first in every record
  auto bytes = std::as_bytes(std::span{&body, 1});
  return {bytes.begin(), bytes.end()};
}

const std::vector<std::byte> kOperation =
    record_of<map_operation_event>(EVENT_KIND_MAP_OPERATION, {.operation = MAP_OPERATION_REHASH});
const std::vector<std::byte> kCall = record_of<system_call_event>(EVENT_KIND_SYSTEM_CALL);
const std::vector<std::byte> kResult =
    record_of<system_call_result_event>(EVENT_KIND_SYSTEM_CALL_RESULT);
const std::vector<std::byte> kDetail =
    record_of<system_call_detail_event>(EVENT_KIND_SYSTEM_CALL_DETAIL);

void decode_all(benchmark::State &state, const std::vector<std::vector<std::byte>> &records) {
  for (auto _ : state)
    for (const auto &record : records) {
      auto event = decode(record);
      if (!event)
        state.SkipWithError(event.error().message().c_str());
      benchmark::DoNotOptimize(event);
    }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(records.size()));
}

void decode_operation(benchmark::State &state) { decode_all(state, {kOperation}); }
void decode_call_and_result(benchmark::State &state) { decode_all(state, {kCall, kResult}); }
void decode_detail(benchmark::State &state) { decode_all(state, {kDetail}); }
void decode_mix(benchmark::State &state) {
  std::vector<std::vector<std::byte>> records(16, kOperation);
  records.insert(records.end(), {kCall, kResult, kCall, kResult, kDetail, kResult});
  decode_all(state, records);
}

BENCHMARK(decode_operation);
BENCHMARK(decode_call_and_result);
BENCHMARK(decode_detail);
BENCHMARK(decode_mix);

} // namespace
} // namespace mapscope
