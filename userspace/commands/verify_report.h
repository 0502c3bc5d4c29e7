// What `verify` and a replayed `verify` do with a verdict.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/handle.h"
#include "commands/exit_status.h"
#include "flow/verdict.h"
#include "recording/recording_writer.h"

namespace mapscope {

Result<ExitStatus> report_verdict(const Verdict &verdict, bool as_json, const Fd &report);

// A new recording; null where no path is given.
Result<std::unique_ptr<RecordingWriter>> open_recording(const std::string &path);

// What a command ends with whose run had a recording, or none: `outcome`, and where the recording
// is not whole, that is said, and it could not tell. What the run itself ended with is kept if it
// is worse news: an error, or something found. A run that did not begin
// leaves no recording.
Result<ExitStatus> close_recording(Result<ExitStatus> outcome, RecordingWriter *recording);

} // namespace mapscope
