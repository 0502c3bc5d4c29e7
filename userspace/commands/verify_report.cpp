// Verdicts and recordings of commands; see verify_report.h.
#include "commands/verify_report.h"

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
  TRY(write_all(report, as_json ? verify_json(verdict) : verify_text(verdict, colour)));
  return status_of(verdict.outcome);
}

Result<std::unique_ptr<RecordingWriter>> open_recording(const std::string &path) {
  if (path.empty())
    return nullptr;
  return RecordingWriter::create(TRY(open_output(path, false)), path);
}

} // namespace mapscope
