// Trace events on their way out: filtered, counted, written in one of the formats.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/handle.h"
#include "flow/trace_summary.h"
#include "judge/trace_filter.h"
#include "judge/trace_summary.h"
#include "pipeline/trace_analysis.h"
#include "report/trace_json.h"
#include "report/trace_perfetto.h"
#include "report/trace_text.h"

namespace mapscope {

enum class TraceFormat { text, json, perfetto };

struct TraceOutputOptions {
  TraceFormat format = TraceFormat::text;
  TraceTextOptions text; // its times begin with the run
  TraceFilter filter;
  bool shows_events = true;
  bool shows_summary = false;
};

class TraceOutput final : public TraceSink {
public:
  // `file` outlives it.
  TraceOutput(TraceOutputOptions options, const Fd &file);

  void start(const RunStart &start) override;
  void target(const TargetStart &target) override;
  void event(const TraceEvent &event) override;
  void flush() override;
  void end(const TraceEnd &end) override;

  // The reader has gone, or nothing can be written any more: there is no use in going on.
  bool is_closed() const { return is_closed_; }
  // The first failure to write, but for a reader that has seen enough.
  Result<> status() const { return status_; }
  bool saw_misuse() const { return saw_misuse_; }
  bool lost_events() const { return lost_events_; }

private:
  void write();

  TraceOutputOptions options_;
  const Fd &file_;
  TraceText text_;
  TraceJson json_;
  TracePerfetto perfetto_;
  TraceSummarizer summarizer_;
  std::uint64_t start_ns_ = 0;
  std::string pending_; // not written yet
  bool is_closed_ = false, saw_misuse_ = false, lost_events_ = false;
  Result<> status_;
};

} // namespace mapscope
