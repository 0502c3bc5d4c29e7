// Checks each record against the contract, field by field where a field has a limited range.
#include "decode/decode.h"

#include <cstring>
#include <type_traits>

#include "bpf/contract/targets.h"

namespace mapscope {

namespace {

constexpr std::uint32_t kWitnessFlags = 2 * WITNESS_BEFORE_GO - 1; // all up to the newest

Result<> in_range(std::string_view field, std::uint64_t value, std::uint64_t limit) {
  if (value >= limit) [[unlikely]]
    return fail(Errc::malformed, "{} is {}, known are 0 to {}", field, value, limit - 1);
  return {};
}

template <std::size_t Size> Result<> terminated(std::string_view field, const char (&text)[Size]) {
  if (std::memchr(text, 0, Size) == nullptr) [[unlikely]]
    return fail(Errc::malformed, "{} does not end within its {} bytes", field, Size);
  return {};
}

Result<> check(const process_exec_event &event) { return terminated("path", event.path); }
Result<> check(const process_exit_event &) { return {}; }
Result<> check(const process_fork_event &) { return {}; }
Result<> check(const image_entry_event &) { return {}; }

Result<> check(const map_operation_event &event) {
  if (event.operation == MAP_OPERATION_NONE) [[unlikely]]
    return fail(Errc::malformed, "a map operation without its kind");
  TRY(in_range("operation", event.operation, MAP_OPERATION_COUNT));
  TRY(in_range("header_on_stack", event.header_on_stack, 2));
  TRY(in_range("header_read", event.header_read, 2));
  TRY(in_range("table_read", event.table_read, 2));
  return in_range("is_return", event.is_return, 2);
}

Result<> check(const heap_request_event &event) {
  if (event.request == HEAP_REQUEST_NONE) [[unlikely]]
    return fail(Errc::malformed, "a heap request without its kind");
  TRY(in_range("request", event.request, HEAP_REQUEST_LARGE + 1));
  TRY(in_range("witnesses", event.witnesses, kWitnessFlags + 1));
  return in_range("operation", event.operation, MAP_OPERATION_COUNT);
}

Result<> check(const system_call_event &event) {
  TRY(in_range("witnesses", event.witnesses, kWitnessFlags + 1));
  TRY(in_range("operation", event.operation, MAP_OPERATION_COUNT));
  TRY(in_range("call_class", event.call_class, CALL_CLASS_COUNT));
  TRY(in_range("descriptor_kind", event.descriptor_kind, DESCRIPTOR_KIND_COUNT));
  TRY(in_range("wants_result", event.wants_result, 2));
  return in_range("place", event.place, CALL_PLACE_COUNT);
}

Result<> check(const system_call_detail_event &event) {
  TRY(check(event.call));
  TRY(terminated("path", event.path));
  TRY(in_range("path_is_argument", event.path_is_argument, 2));
  return in_range("path_missing", event.path_missing, 2);
}

Result<> check(const system_call_result_event &event) {
  TRY(in_range("has_path", event.has_path, 2));
  return terminated("path", event.path);
}

Result<> check(const io_uring_submit_event &event) {
  TRY(in_range("witnesses", event.witnesses, kWitnessFlags + 1));
  TRY(in_range("operation", event.operation, MAP_OPERATION_COUNT));
  return in_range("is_polled", event.is_polled, 2);
}

Result<> check(const stack_event &event) {
  if (event.id == 0) [[unlikely]]
    return fail(Errc::malformed, "a stack without its id");
  return {};
}

Result<> check(const map_misuse_event &event) {
  if (event.misuse == MAP_MISUSE_NONE) [[unlikely]]
    return fail(Errc::malformed, "a misuse without its kind");
  TRY(in_range("misuse", event.misuse, MAP_MISUSE_NIL_MAP + 1));
  TRY(in_range("map_count", event.map_count, EVENT_MISUSE_MAPS + 1));
  TRY(in_range("word_count", event.word_count, EVENT_MISUSE_WORDS + 1));
  return terminated("message", event.message);
}

template <typename Body>
Result<Event> decode_as(std::span<const std::byte> record, const event_header &header) {
  if (record.size() != sizeof(Body)) [[unlikely]]
    return fail(Errc::malformed, "{} bytes, an event of kind {} has {}", record.size(), header.kind,
                sizeof(Body));
  Result<Event> event{std::in_place, header, EventBody{std::in_place_type<Body>}};
  auto &body = std::get<Body>(event->body);
  std::memcpy(&body, record.data(), sizeof(Body)); // nothing promises that it is aligned
  if (auto sound = check(body); !sound) [[unlikely]]
    return std::unexpected(
        std::move(sound).error().while_doing(fmt::format("an event of kind {}", header.kind)));
  return event;
}

} // namespace

Result<Event> decode(std::span<const std::byte> record) {
  event_header header;
  if (record.size() < sizeof(header)) [[unlikely]]
    return fail(Errc::malformed, "{} bytes, the header of an event has {}", record.size(),
                sizeof(header));
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.size_bytes != record.size()) [[unlikely]]
    return fail(Errc::malformed, "{} bytes, its header says {}", record.size(), header.size_bytes);

  switch (header.kind) {
  case EVENT_KIND_PROCESS_EXEC:
    return decode_as<process_exec_event>(record, header);
  case EVENT_KIND_PROCESS_EXIT:
    return decode_as<process_exit_event>(record, header);
  case EVENT_KIND_PROCESS_FORK:
    return decode_as<process_fork_event>(record, header);
  case EVENT_KIND_IMAGE_ENTRY:
    return decode_as<image_entry_event>(record, header);
  case EVENT_KIND_MAP_OPERATION:
    return decode_as<map_operation_event>(record, header);
  case EVENT_KIND_HEAP_REQUEST:
    return decode_as<heap_request_event>(record, header);
  case EVENT_KIND_SYSTEM_CALL:
    return decode_as<system_call_event>(record, header);
  case EVENT_KIND_SYSTEM_CALL_DETAIL:
    return decode_as<system_call_detail_event>(record, header);
  case EVENT_KIND_SYSTEM_CALL_RESULT:
    return decode_as<system_call_result_event>(record, header);
  case EVENT_KIND_IO_URING_SUBMIT:
    return decode_as<io_uring_submit_event>(record, header);
  case EVENT_KIND_STACK:
    return decode_as<stack_event>(record, header);
  case EVENT_KIND_MAP_MISUSE:
    return decode_as<map_misuse_event>(record, header);
  default:
    return fail(Errc::malformed, "an event of unknown kind {}", header.kind);
  }
}

} // namespace mapscope
