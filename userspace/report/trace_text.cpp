// Columns for who and when, then words for what.
#include "report/trace_text.h"

#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/printable.h"
#include "report/append.h"
#include "report/call_text.h"

namespace mapscope {

namespace {

constexpr std::size_t kThreadWidth = 7;
constexpr std::size_t kPidAndThreadWidth = 15;
constexpr std::size_t kGoroutineWidth = 9;
constexpr std::size_t kWordWidth = 9; // "rehashed" and a space
constexpr std::size_t kMapWidth = 16;
constexpr std::size_t kTypeWidth = 20;
constexpr std::size_t kBodyWidth = 82; // map, type, and what changed
constexpr std::string_view kGap = "  ";
constexpr std::string_view kMargin = "!!  ";

std::string_view word_of(TraceKind kind) {
  switch (kind) {
  case TraceKind::heap_grown:
    return "heap";
  case TraceKind::large_allocation:
    return "large";
  case TraceKind::file_call:
    return "FILE";
  case TraceKind::map_misuse:
    return "MISUSE";
  default: // map_grown, process_exec: the second word
    return name_of(kind).substr(name_of(kind).find('_') + 1);
  }
}

Colour colour_of(TraceKind kind) {
  switch (kind) {
  case TraceKind::map_grown:
  case TraceKind::map_split:
  case TraceKind::map_rehashed:
    return Colour::yellow;
  case TraceKind::map_created:
  case TraceKind::map_cloned:
    return Colour::green;
  case TraceKind::file_call:
  case TraceKind::map_misuse:
    return Colour::red;
  default:
    return Colour::bold;
  }
}

// "1024 -> 2048 slots", of the whole map where that is known, else of the table that changed.
void append_slots(const MapChange &change, TraceKind kind, std::string &out) {
  const auto &before = change.slots_before;
  const auto &after = change.slots_after;
  const bool changes = before && after && *before != *after;
  if (changes) {
    append_number(*before, out);
    out += " -> ";
    append_number(*after, out);
    out += " slots";
  } else if (!after && change.table_slots_before) {
    out += "a table of ";
    append_number(*change.table_slots_before, out);
    out += kind == TraceKind::map_split   ? " slots split"
           : kind == TraceKind::map_grown ? " slots doubled"
                                          : " slots";
  } else if (after || before) {
    out += kind == TraceKind::map_grown && !before ? "to " : "";
    append_number(after ? *after : *before, out);
    out += " slots";
  }
}

std::string_view evidence_text(OtherGoroutine::Evidence evidence, bool map_is_known) {
  switch (evidence) {
  case OtherGoroutine::Evidence::reported:
    return "the runtime caught it as well";
  case OtherGoroutine::Evidence::on_stack:
    return map_is_known ? "the map and a call of a map function are on its stack"
                        : "a call that writes a map of this type is on its stack";
  case OtherGoroutine::Evidence::grew_it:
    return "it was the last other goroutine that was seen to grow this map";
  }
  return "";
}

// All that is known of a stack: a call carries its own where it was taken.
std::span<const SourceFrames> frames_of(const TraceEvent &event) {
  if (const auto *call = std::get_if<std::shared_ptr<const AttributedCall>>(&event.what))
    if (!(*call)->stack.empty())
      return (*call)->stack;
  return event.stack ? std::span{event.stack->frames} : std::span<const SourceFrames>{};
}

template <typename T> const T &value_of(const T &value) { return value; }
template <typename T> const T &value_of(const std::shared_ptr<const T> &value) { return *value; }

// Appends ", " from the second part on.
class Parts {
public:
  explicit Parts(std::string &out) : out_(out), start_(out.size()) {}
  std::string &next() {
    if (out_.size() != start_)
      out_ += ", ";
    return out_;
  }

private:
  std::string &out_;
  std::size_t start_;
};

} // namespace

std::string_view TraceText::colour_start(Colour colour) const {
  return options_.colour ? colour_sequence(colour) : std::string_view{};
}

std::string_view TraceText::colour_end() const {
  return options_.colour ? kColourEnd : std::string_view{};
}

void TraceText::header(std::string &out) const {
  out += colour_start(Colour::dim);
  if (options_.time.format != TimeFormat::none) {
    append_right("TIME", time_.width(), out);
    out += kGap;
  }
  append_right(options_.show_pids ? "PID/THREAD" : "THREAD",
               options_.show_pids ? kPidAndThreadWidth : kThreadWidth, out);
  out += kGap;
  append_left("GOROUTINE", kGoroutineWidth, out);
  out += kGap;
  append_left("EVENT", kWordWidth, out);
  std::size_t body_start = out.size();
  append_left("MAP", kMapWidth, out);
  out += kGap;
  append_left("TYPE", kTypeWidth, out);
  out += kGap;
  out += "WHAT";
  pad_to(body_start, kBodyWidth, out);
  out += kGap;
  out += "SITE";
  out += colour_end();
  out += '\n';
}

void TraceText::append(const TraceEvent &event, std::string &out) {
  append_prefix(event, out);
  std::visit([&](const auto &what) { append_body(event, value_of(what), out); }, event.what);
  out += '\n';
  if (options_.show_stacks)
    append_frames(event, out);
}

void TraceText::append_prefix(const TraceEvent &event, std::string &out) {
  if (event.kind == TraceKind::map_misuse)
    out += '\n'; // not to be overlooked
  if (options_.time.format != TimeFormat::none) {
    out += colour_start(Colour::dim);
    time_.append(event.time_ns, out);
    out += colour_end();
    out += kGap;
  }
  fmt::format_int thread{event.tid};
  if (options_.show_pids) {
    fmt::format_int pid{event.process.pid};
    append_right({pid.data(), pid.size()}, kPidAndThreadWidth - kThreadWidth - 1, out);
    out += '/';
    append_left({thread.data(), thread.size()}, kThreadWidth, out);
  } else {
    append_right({thread.data(), thread.size()}, kThreadWidth, out);
  }
  out += kGap;
  std::size_t start = out.size();
  if (event.goroutine) {
    out += 'g';
    append_number(*event.goroutine, out);
  } else {
    out += '-';
  }
  pad_to(start, kGoroutineWidth, out);
  out += kGap;
}

void TraceText::append_word(std::string_view word, Colour colour, std::string &out) const {
  out += colour_start(colour);
  out += word;
  out += colour_end();
  out.append(word.size() < kWordWidth ? kWordWidth - word.size() : 1, ' ');
}

void TraceText::append_body(const TraceEvent &event, const MapChange &change, std::string &out) {
  append_word(word_of(event.kind), colour_of(event.kind), out);
  std::size_t start = out.size();
  if (change.map)
    labels_.append_map(event, *change.map, out);
  else
    out += kUnknown;
  pad_to(start, kMapWidth, out);
  out += kGap;
  append_left(labels_.type(change.type), kTypeWidth, out);
  out += kGap;

  Parts parts{out};
  if (change.hint)
    append_number(*change.hint, parts.next().append("hint "));
  else if (change.operation == MAP_OPERATION_MAKE_SMALL)
    parts.next() += "no hint or one up to 8"; // the compiler calls makemap_small for both
  if (change.len)
    append_number(*change.len, parts.next());
  if (change.len)
    out += *change.len == 1 ? " entry" : " entries";
  if (change.slots_before || change.slots_after || change.table_slots_before)
    append_slots(change, event.kind, parts.next());
  if (change.bytes)
    parts.next() += labels_.bytes(*change.bytes);
  if (change.is_first_sight)
    parts.next() += "first seen";
  append_site(event, start, out);
}

void TraceText::append_body(const TraceEvent &event, const HeapRequest &request, std::string &out) {
  append_word(word_of(event.kind), colour_of(event.kind), out);
  std::size_t start = out.size();
  out += request.request == HEAP_REQUEST_GROW ? "the heap needs " : "an object of ";
  out += labels_.bytes(request.bytes);
  if (request.request == HEAP_REQUEST_GROW)
    out += " more";
  if (request.operation) {
    out += ", in map ";
    out += *request.operation;
  }
  append_site(event, start, out);
}

void TraceText::append_body(const TraceEvent &event, const AttributedCall &call, std::string &out) {
  const bool is_file = event.kind == TraceKind::file_call;
  if (is_file)
    append_word(word_of(event.kind), colour_of(event.kind), out);
  std::size_t start = out.size();
  append_call(call, out);
  append_result(call, out);
  if (call.place != CALL_OUTSIDE) {
    out += ", in map ";
    out += call.operation ? std::string_view{*call.operation} : "operation";
  }
  if (is_file && call.cause)
    out += " (" + printable(*call.cause) + ")";
  append_site(event, is_file ? start : start + kWordWidth, out);
}

void TraceText::append_body(const TraceEvent &event, const MapMisuse &misuse, std::string &out) {
  append_word(word_of(event.kind), colour_of(event.kind), out);
  out += colour_start(Colour::red);
  out += misuse.is_fatal ? "fatal error: " : "panic: ";
  out += printable(misuse.message);
  out += colour_end();
  auto next_line = [&](std::string_view label) {
    out += '\n';
    out += colour_start(Colour::red);
    out += kMargin;
    out += colour_end();
    append_left(label, 11, out);
  };
  next_line("map");
  if (misuse.map)
    labels_.append_map(event, *misuse.map, out);
  else
    out += "address not known";
  out += misuse.type ? ", " : ", of a type that is not known";
  if (misuse.type)
    out += labels_.type(misuse.type);
  auto goroutine = [&](std::optional<std::uint64_t> number, std::string_view site) {
    next_line("goroutine");
    out += number ? fmt::format("{}", *number) : kUnknown;
    out += " at ";
    out += site == kUnknown ? "an unknown line" : site;
  };
  goroutine(event.goroutine, labels_.site(event));
  out += ": the runtime caught it";
  for (const OtherGoroutine &other : misuse.others) {
    goroutine(other.goroutine, other.site ? site_text(*other.site) : std::string{kUnknown});
    out += ": ";
    out += evidence_text(other.evidence, misuse.map.has_value());
  }
  if (misuse.others.empty() && misuse.is_fatal) {
    next_line("goroutine");
    out += "the other one is not known";
  }
  out += '\n';
}

void TraceText::append_body(const TraceEvent &event, const ProcessChange &change,
                            std::string &out) {
  append_word(word_of(event.kind), colour_of(event.kind), out);
  if (event.kind == TraceKind::process_exec) {
    out += printable(change.path);
  } else if (change.signal) {
    const char *name = ::sigabbrev_np(*change.signal);
    out += name != nullptr ? fmt::format("killed by SIG{}", name)
                           : fmt::format("killed by signal {}", *change.signal);
  } else if (change.exit_status) {
    fmt::format_to(std::back_inserter(out), "with status {}", *change.exit_status);
  }
}

void TraceText::append_site(const TraceEvent &event, std::size_t body_start, std::string &out) {
  std::string_view site = labels_.site(event);
  const bool is_call = std::holds_alternative<std::shared_ptr<const AttributedCall>>(event.what);
  if (site == kUnknown && is_call)
    return; // calls outside of map operations have no stack taken
  if (body_start < out.size())
    pad_to(body_start, kBodyWidth, out);
  out += kGap;
  out += site;
}

void TraceText::append_frames(const TraceEvent &event, std::string &out) const {
  for (const SourceFrames &frames : frames_of(event))
    for (const SourceFrame &frame : frames) {
      out.append(8, ' ');
      out += printable(frame.function);
      if (!frame.file.empty())
        fmt::format_to(std::back_inserter(out), "  {}:{}", printable(frame.file), frame.line);
      out += frame.inlined ? " (inlined)\n" : "\n";
    }
  if (event.stack && !event.stack->is_complete)
    out.append(8, ' ') += "... deeper than could be recorded\n";
}

} // namespace mapscope
