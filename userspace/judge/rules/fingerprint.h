// What an alert is known by, everywhere and after a restart: rule, process and subject as one
// number.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flow/process.h"

namespace mapscope {

struct AlertFingerprint {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(AlertFingerprint, AlertFingerprint) = default;

  std::string text() const; // 32 hex digits
  static std::optional<AlertFingerprint> from_text(std::string_view text);
};

// FNV-1a over the parts with their lengths, twice from different starts, each end mixed as
// MurmurHash3 does: written down here since databases keep the result. `boot_id` is part of it, for
// start times count from boot and repeat after one.
AlertFingerprint fingerprint_of(std::string_view boot_id, ProcessKey process, std::string_view rule,
                                std::string_view subject);

} // namespace mapscope
