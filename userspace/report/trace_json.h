// The events of `trace` for programs: one JSON object a line, schema mapscope.trace/1
// (docs/json.md).
#pragma once

#include <string>
#include <string_view>

#include "base/pointer_cache.h"
#include "flow/trace_event.h"
#include "flow/trace_summary.h"
#include "report/json_writer.h"

namespace mapscope {

struct TraceJsonOptions {
  bool show_stacks = false; // a key "stack" with all frames
};

// Every line is a whole document. What is not known is null; a key that does not apply to an
// event is not there.
class TraceJson {
public:
  explicit TraceJson(TraceJsonOptions options) : options_(options) {}

  void append(const TraceEvent &event, std::string &out);

  // The last line, so that a reader knows that nothing is missing, or what.
  void end(const TraceEnd &end, std::string &out) const;

private:
  void append_what(const MapChange &change, JsonWriter &json);
  void append_what(const HeapRequest &request, JsonWriter &json);
  void append_what(const AttributedCall &call, JsonWriter &json);
  void append_what(const MapMisuse &misuse, JsonWriter &json);
  void append_what(const ProcessChange &change, JsonWriter &json);
  void append_type(const MapTypePtr &type, JsonWriter &json);
  void append_site(const TraceEvent &event, JsonWriter &json);

  TraceJsonOptions options_;
  PointerCache<CallStack, std::string> sites_{4096}; // as JSON
  PointerCache<MapType, std::string> types_{4096};
};

} // namespace mapscope
