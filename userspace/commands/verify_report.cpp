// Verdicts and recordings of commands; see verify_report.h.
#include "commands/verify_report.h"

#include <filesystem>
#include <span>
#include <system_error>

#include "base/write_all.h"
#include "commands/messages.h"
#include "commands/output.h"
#include "report/terminal.h"
#include "report/verify_json.h"
#include "report/verify_text.h"

namespace mapscope {
namespace {

ExitStatus status_of(Outcome outcome) {
  switch (outcome) {
  case Outcome::clean:
    return ExitStatus::done;
  case Outcome::violated:
    return ExitStatus::found;
  case Outcome::inconclusive:
    return ExitStatus::could_not_tell;
  }
  return ExitStatus::could_not_tell;
}

} // namespace

Result<ExitStatus> report_verdict(const Verdict &verdict, bool as_json, const Fd &report) {
  bool colour = wants_colour(report.get());
  const std::string text = as_json ? verify_json(verdict) : verify_text(verdict, colour);
  TRY_WHILE(write_all(report, std::as_bytes(std::span{text})), "writing the report");
  return status_of(verdict.outcome);
}

Result<std::unique_ptr<RecordingWriter>> open_recording(const std::string &path) {
  if (path.empty())
    return nullptr;
  return RecordingWriter::create(TRY(open_output(path, false)), path);
}

Result<ExitStatus> close_recording(Result<ExitStatus> outcome, RecordingWriter *recording) {
  if (recording == nullptr)
    return outcome;
  const Result<> closed = recording->close();
  if (!outcome && !recording->has_begun()) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(recording->path(), ignored))
      std::filesystem::remove(recording->path(), ignored);
    return outcome;
  }
  if (closed)
    return outcome;
  say(closed.error().message());
  return outcome == ExitStatus::done ? ExitStatus::could_not_tell : outcome;
}

} // namespace mapscope
