// The events of `trace` for people: a line each, in columns.
#pragma once

#include <string>
#include <string_view>

#include "flow/trace_event.h"
#include "report/terminal.h"
#include "report/trace_labels.h"
#include "report/trace_time.h"

namespace mapscope {

struct TraceTextOptions {
  TraceTimeOptions time;
  bool colour = false;      // see report/terminal.h
  bool show_pids = false;   // several processes are watched
  bool show_stacks = false; // all frames below the line
};

// Lines look the same whatever the terminal's width. What is not known is "?"; what does not
// apply is left out.
class TraceText {
public:
  explicit TraceText(TraceTextOptions options)
      : options_(std::move(options)), time_(options_.time) {}

  // The names of the columns.
  void header(std::string &out) const;

  // One line, ended; more below it for a misuse of a map, and for frames.
  void append(const TraceEvent &event, std::string &out);

private:
  void append_prefix(const TraceEvent &event, std::string &out);
  void append_word(std::string_view word, Colour colour, std::string &out) const;
  void append_body(const TraceEvent &event, const MapChange &change, std::string &out);
  void append_body(const TraceEvent &event, const HeapRequest &request, std::string &out);
  void append_body(const TraceEvent &event, const AttributedCall &call, std::string &out);
  void append_body(const TraceEvent &event, const MapMisuse &misuse, std::string &out);
  void append_body(const TraceEvent &event, const ProcessChange &change, std::string &out);
  void append_site(const TraceEvent &event, std::size_t body_start, std::string &out);
  void append_change(const MapChange &change, std::string &out);
  void append_frames(const TraceEvent &event, std::string &out) const;
  std::string_view colour_start(Colour colour) const;
  std::string_view colour_end() const;

  TraceTextOptions options_;
  TraceTime time_;
  TraceLabels labels_;
};

} // namespace mapscope
