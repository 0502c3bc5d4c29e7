// Filtering, counting, writing; see trace_output.h.
#include "pipeline/trace_output.h"

#include <unistd.h>

#include "report/event_losses.h"
#include "report/trace_summary_json.h"
#include "report/trace_summary_text.h"

namespace mapscope {
namespace {

// Beyond so much, events are written before the kernel side is drained further.
constexpr std::size_t kPendingMax = 256 << 10;

// What a filter kept away is not known to be none.
void leave_out_unwanted(TraceSummary &summary, const TraceFilter &filter) {
  if (!filter.wants(TraceKind::memory_call))
    summary.memory_calls.reset();
  if (!filter.wants(TraceKind::heap_grown))
    summary.heap_grown.reset();
  if (!filter.wants(TraceKind::large_allocation))
    summary.large_allocations.reset();
}

} // namespace

TraceOutput::TraceOutput(TraceOutputOptions options, const Fd &file)
    : options_(std::move(options)), file_(file), text_(options_.text),
      json_({.show_stacks = options_.text.show_stacks}) {}

void TraceOutput::start(const RunStart &start) {
  options_.text.time.start_ns = start.time_ns;
  options_.text.time.wall_offset_ns = start.wall_offset_ns;
  options_.text.time.utc_offset_seconds = start.utc_offset_seconds;
  options_.text.show_pids = start.has_several_processes;
  text_ = TraceText{options_.text};
  start_ns_ = start.time_ns;
  if (options_.shows_events && options_.format == TraceFormat::text)
    text_.header(pending_);
  else if (options_.format == TraceFormat::perfetto)
    perfetto_.begin(pending_);
  write();
}

void TraceOutput::target(const TargetStart &target) {
  if (options_.format == TraceFormat::perfetto)
    perfetto_.process(target.process, target.exe, pending_);
}

void TraceOutput::event(const TraceEvent &event) {
  if (!options_.filter.passes(event))
    return;
  saw_misuse_ |= event.kind == TraceKind::map_misuse;
  if (options_.shows_summary)
    summarizer_.add(event);
  if (!options_.shows_events)
    return;
  switch (options_.format) {
  case TraceFormat::text:
    text_.append(event, pending_);
    break;
  case TraceFormat::json:
    json_.append(event, pending_);
    break;
  case TraceFormat::perfetto:
    perfetto_.append(event, pending_);
    break;
  }
  if (pending_.size() >= kPendingMax)
    write();
}

void TraceOutput::flush() { write(); }

void TraceOutput::end(const TraceEnd &end) {
  lost_events_ = event_losses(end.events, end.lost, end.dropped).lost_total() > 0;
  if (options_.shows_summary) {
    TraceSummary summary = summarizer_.finish(start_ns_, end);
    leave_out_unwanted(summary, options_.filter);
    if (options_.format == TraceFormat::json)
      pending_ += trace_summary_json(summary);
    else
      pending_ += trace_summary_text(summary, options_.text.colour);
  } else if (options_.format == TraceFormat::json) {
    json_.end(end, pending_);
  } else if (options_.format == TraceFormat::perfetto) {
    perfetto_.end(pending_);
  } else if (lost_events_) {
    pending_ += trace_losses_text(end) + '\n';
  }
  write();
}

void TraceOutput::write() {
  std::string_view rest = pending_;
  while (!rest.empty() && !is_closed_) {
    ssize_t size = ::write(file_.get(), rest.data(), rest.size());
    if (size >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno != EINTR) {
      is_closed_ = true;
      if (errno != EPIPE) // a reader such as head(1) that has seen enough
        status_ = std::unexpected(Error::from_errno("writing events"));
    }
  }
  pending_.clear();
}

} // namespace mapscope
