// The first stage: bytes of the ring buffer, or of a recording, become events.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "flow/event.h"
#include "flow/raw_record.h"

namespace mapscope {

// One record as an event. Fails with Errc::malformed when the kind is unknown, the size is
// not exactly that of the kind, an enumeration has a value that the contract does not know,
// or a string is not terminated; the caller counts it as DropReason::malformed.
Result<Event> decode(std::span<const std::byte> record);

inline Result<Event> decode(const RawRecord &record) { return decode(std::span{record.bytes}); }

} // namespace mapscope
