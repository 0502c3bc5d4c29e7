// Replays a recording into an observer, which can't tell it from the run itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/run_observer.h"
#include "wire/byte_source.h"

namespace mapscope {

// How much of the run was there.
struct ReplayEnd {
  bool is_complete = false; // all of the file was read, and the run ended in it
  std::uint64_t record_count = 0;
  // Names that were asked for and that nobody had asked for when the recording was made: their
  // answers were empty.
  std::uint64_t unanswered_count = 0;
  std::vector<std::string> problems; // sentences: what is not complete
};

// Calls the observer as the recorded run called its own, in the same order and with the same
// values; names in targets give the answers that were kept. Needs no kernel, no executable and
// no privilege, and the machine may be another one.
//
// The file may be torn, damaged or hostile. What can be read of it is replayed. Each gap is a
// remark that is a doubt, in its place; a target whose end is lost gets one with all counters
// zero, and a run one at the time of its last record.
//
// Errors, with `path` in front: what prevents any replay. Not a recording, another version, no
// beginning; or the file can't be read.
Result<ReplayEnd> replay(ByteSource source, const std::string &path, RunObserver &observer);

} // namespace mapscope
