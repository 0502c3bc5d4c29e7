// Any bytes through decode: it refuses or gives an event whose fields are in range.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "bpf/contract/targets.h"
#include "decode/decode.h"
#include "fuzz/fuzz_target.h"

using namespace mapscope;

namespace {

// What the stages behind decode index arrays with.
void require(bool sound) {
  if (!sound)
    __builtin_trap();
}

void require_in_range(const system_call_event &call) {
  require(call.call_class < CALL_CLASS_COUNT);
  require(call.place < CALL_PLACE_COUNT);
  require(call.descriptor_kind < DESCRIPTOR_KIND_COUNT);
  require(call.operation < MAP_OPERATION_COUNT);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(decode_fuzz, data, size_bytes) {
  auto record = std::as_bytes(std::span{data, size_bytes});
  auto event = decode(record);
  if (!event)
    return 0;
  require(event->header.size_bytes == size_bytes);
  if (const auto *call = std::get_if<system_call_event>(&event->body))
    require_in_range(*call);
  if (const auto *detail = std::get_if<system_call_detail_event>(&event->body)) {
    require_in_range(detail->call);
    require(std::string_view{detail->path, EVENT_PATH_BYTES}.contains('\0'));
  }
  return 0;
}
