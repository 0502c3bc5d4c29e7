// Caches in front of the formatting functions.
#include "report/trace_labels.h"

#include "base/format.h"
#include "base/printable.h"
#include "report/append.h"

namespace mapscope {

namespace {

std::string_view base_name(std::string_view path) {
  auto slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

} // namespace

std::string site_text(const SourceFrame &site) {
  std::string text = printable(site.function);
  if (!site.file.empty())
    text += " " + printable(base_name(site.file));
  if (!site.file.empty() && site.line != 0)
    text += fmt::format(":{}", site.line);
  return text;
}

std::uint64_t TraceLabels::PlaceHash::operator()(const Place &place) const {
  return mix_bits(place.where ^ mix_bits(place.goroutine ^ mix_bits(place.process.pid)));
}

void TraceLabels::append_map(const TraceEvent &event, const MapIdentity &map, std::string &out) {
  if (map.stack_distance) {
    out += "stack g";
    if (event.goroutine)
      append_number(*event.goroutine, out);
    else
      out += kUnknown;
    out += '+';
    append_hex(*map.stack_distance, out);
  } else if (map.address) {
    append_hex(map.address->value, out);
  } else {
    out += kUnknown;
  }
  if (is_reused_place(event, map)) {
    out += '#';
    append_number(map.number, out);
  }
}

// Once places had to be forgotten, any may have been used before; a number too many does no harm.
bool TraceLabels::is_reused_place(const TraceEvent &event, const MapIdentity &map) {
  if (!map.stack_distance && !map.address)
    return map.number != 0;
  Place place{.process = event.process,
              .goroutine = map.stack_distance ? event.goroutine.value_or(0) : 0,
              .where = map.stack_distance ? *map.stack_distance : map.address->value};
  const std::uint64_t *first = first_at_.find(place);
  if (first == nullptr)
    first = &first_at_.insert(place, map.number);
  return *first != map.number || first_at_.forgotten() > 0;
}

std::string_view TraceLabels::site(const TraceEvent &event) {
  const SourceFrame *site = site_of(event);
  if (site == nullptr)
    return kUnknown;
  if (event.stack && event.stack->site && site == &*event.stack->site)
    return sites_.get(event.stack, [site] { return site_text(*site); });
  return call_site_ = site_text(*site); // a call has a site of its own, and calls are few
}

std::string_view TraceLabels::type(const MapTypePtr &type) {
  if (!type)
    return kUnknown;
  return types_.get(type, [&type] { return printable(type->name); });
}

std::string_view TraceLabels::bytes(std::uint64_t bytes) {
  BytesText &slot = bytes_[mix_bits(bytes) % bytes_.size()];
  if (slot.bytes != bytes)
    slot = {bytes, format_bytes(bytes)};
  return slot.text;
}

} // namespace mapscope
