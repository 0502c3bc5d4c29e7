// Any text as an alert that the database kept: it is refused with a sentence, or comes back as it
// was, and can be told to every kind of receiver.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "alert/notice.h"
#include "fuzz/fuzz_target.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    std::abort();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(notice_fuzz, data, size_bytes) {
  const auto notice = parse_notice({reinterpret_cast<const char *>(data), size_bytes});
  if (!notice) {
    require(notice.error().code() == Errc::malformed && !notice.error().message().empty());
    return 0;
  }
  const std::string text = stored_text(*notice);
  const auto again = parse_notice(text);
  require(again.has_value() && stored_text(*again) == text);
  const std::array notices{*notice, *again};
  require(!alerts_document("host", notices).empty());
  require(
      !alertmanager_body(notices, 1'700'000'000'000'000'000, 1'700'000'100'000'000'000).empty());
  for (const auto &[name, value] : alert_labels(notice->alert.finding, "host", {{"a b", "c"}}))
    require(!name.empty() && !value.empty());
  return 0;
}
