// What the confined parser and its parent say to each other: requests and answers as MessagePack,
// each behind its length (32 bits, little endian), over a socket.
//
// The parent believes nothing of an answer: see wire/message.h, and the checks of each field in
// wire/.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/handle.h"
#include "wire/message.h"

namespace mapscope {

// How long an answer may take: so much by the clock on the wall, and longer while who answers did
// not get so much of a processor: on a busy or emulated machine the wall alone accuses the
// innocent.
class AnswerTime {
public:
  // `answering`: the process whose work is looked at; 0: none, the wall decides.
  explicit AnswerTime(std::chrono::milliseconds allowed, pid_t answering = 0);
  static AnswerTime unlimited() { return AnswerTime{std::chrono::milliseconds::max()}; }

  std::chrono::milliseconds left() const; // 0 or less: it is over

private:
  std::chrono::milliseconds allowed_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  pid_t answering_;
  std::optional<std::chrono::milliseconds> worked_before_; // absent: nobody to look at
};

// What is left of `allowed`, once so much has passed and been worked; of the wall no more than six
// times as much, since who does not work at all may never answer.
std::chrono::milliseconds time_left(std::chrono::milliseconds allowed,
                                    std::chrono::milliseconds passed,
                                    std::chrono::milliseconds worked);

// Sends and receives one message on a stream socket, both within `time`. Errors: gone (the other
// end is closed), unsupported (the time is over), malformed, system.
Result<> send_message(const Fd &socket, const nlohmann::json &message, const AnswerTime &time);
Result<nlohmann::json> receive_message(const Fd &socket, const AnswerTime &time,
                                       const WireLimits &limits = {});

} // namespace mapscope
