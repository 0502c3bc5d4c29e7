// The events of `trace` as a picture: Chrome's JSON trace-event format, which the Perfetto UI
// opens. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/lru_table.h"
#include "flow/trace_event.h"
#include "report/json_writer.h"
#include "report/trace_labels.h"

namespace mapscope {

// A track for each goroutine, and one for each thread that made calls without one. A map operation
// is an instant, or a slice when calls inside it show that it lasted at least as long; a system
// call is a slice. A counter shows the bytes that the heap asked of the kernel.
//
// Pieces are handed out as they come; their order is not that of time, which readers of the format
// sort by. A file that was cut off opens as well, but for what was cut.
class TracePerfetto {
public:
  void begin(std::string &out) const;

  // How the process is called in the picture. Before its first event, or again.
  void process(const ProcessKey &process, std::string_view exe, std::string &out);

  void append(const TraceEvent &event, std::string &out);

  // All that still waits, and the brackets.
  void end(std::string &out);

private:
  struct Track {
    std::uint32_t pid = 0;
    std::uint64_t number = 0; // "tid" of the format
    friend auto operator<=>(const Track &, const Track &) = default;
  };
  // An operation that may yet turn out to hold calls: the newest of its track.
  struct Operation {
    TraceEvent event;
    std::uint64_t end_ns = 0; // of the last that was seen inside; 0: nothing was
  };
  struct TrackHash {
    std::uint64_t operator()(const Track &track) const;
  };

  // Begins an entry of the list; the caller closes the object.
  JsonWriter opened(std::string_view phase, std::string_view name, Track track, std::string &out);
  void append_name(std::string_view what, Track track, std::string_view name, std::string &out);
  Track track_of(const TraceEvent &event, std::string &out);
  void append_call(const TraceEvent &event, const AttributedCall &call, Track track,
                   std::string &out);
  void append_operation(const Operation &operation, Track track, std::string &out);
  void append_instant(const TraceEvent &event, Track track, std::string &out);
  void append_heap_counter(const TraceEvent &event, std::string &out);
  void append_args(const TraceEvent &event, JsonWriter &json);
  // The operation that waits lasted until `end_ns`, if that is what `operation` names; else it is
  // over.
  void extend_waiting(Track track, const std::optional<std::string> &operation,
                      std::uint64_t end_ns, std::string &out);
  void flush(Track track, std::string &out);
  void flush_all(std::string &out);

  bool is_empty_ = true; // no entry was written yet
  std::map<Track, Operation> waiting_;
  LruTable<Track, bool, TrackHash> named_{16'384};
  LruTable<Track, std::uint64_t, TrackHash> heap_bytes_{1'024}; // by process; number 0
  TraceLabels labels_;
};

} // namespace mapscope
