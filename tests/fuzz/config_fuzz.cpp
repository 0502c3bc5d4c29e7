// Any text as the daemon's configuration: it is refused with sentences, or what it says reads as
// the same again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/config.h"
#include "fuzz/fuzz_target.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    __builtin_trap();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(config_fuzz, data, size_bytes) {
  const std::string_view text{reinterpret_cast<const char *>(data), size_bytes};
  const auto config = parse_config(text, "c");
  if (!config) {
    require(config.error().code() == Errc::usage && !config.error().message().empty());
    return 0;
  }
  const std::string printed = config_text(*config);
  const auto again = parse_config(printed, "printed");
  require(again.has_value());
  require(config_text(*again) == printed);
  return 0;
}
