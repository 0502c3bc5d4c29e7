// A child process that parses one executable and answers questions about it, so that no byte
// of the file is looked at with any privilege.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include "base/error.h"
#include "base/handle.h"
#include "wire/message.h"

namespace mapscope {

class ParserStarter;

struct ParserLimits {
  std::chrono::milliseconds answer_time{10'000}; // for each question, see AnswerTime
  std::uint64_t memory_bytes = 1ULL << 30;       // besides the file itself
  std::uint64_t cpu_seconds = 120;               // in all its life
  std::uint64_t file_bytes = 4ULL << 30;
};

// The questions, as JSON: {"ask": "facts"} is answered by {"facts": {...}}, and
// {"ask": "frames", "addresses": [1, 2]} by {"frames": [[...], [...]]}, one answer per address.
// "map_types" and "map_types_at_calls" are put as "frames" is. {"ask": "roots"} is answered by
// {"roots": bytes}, see wire/roots_archive.h. Any answer can be
// {"error": [...]} instead. See parser_socket.h and wire/ for what is inside.
class ParserProcess {
public:
  // Without a starter it forks, so it is to be called from the only thread, or one that lives as
  // long as the result. Nothing has been parsed when it returns. Errors: unsupported (not a regular
  // file, too large), system.
  static Result<ParserProcess> start(const Fd &file, std::string path, const ParserLimits &limits,
                                     ParserStarter *starter = nullptr);

  ParserProcess(ParserProcess &&other) noexcept;
  ParserProcess &operator=(ParserProcess &&) = delete;
  ~ParserProcess();

  // The answer to one question. Errors: what the parser itself says, with its own code; and
  // malformed or unsupported when it dies, keeps silent or answers nonsense, after which it is
  // ended and every further question fails.
  Result<nlohmann::json> ask(const nlohmann::json &question, const WireLimits &limits = {});

  bool has_ended() const { return pid_ == 0; } // seen by ask()

  // Ends it without waiting for that: on a busy host the kernel takes seconds for it. The
  // destructor waits.
  void kill() const;
  bool is_dead() const;

  // A pidfd: to kill it from another thread while this one asks.
  std::shared_ptr<const Fd> handle() const { return handle_; }

private:
  ParserProcess(pid_t pid, Fd socket, std::string path, const ParserLimits &limits);

  // Ends the child if it has not ended, and tells how it did.
  std::string end();

  pid_t pid_; // 0: ended and waited for
  std::shared_ptr<const Fd> handle_;
  Fd socket_;
  std::string path_;
  ParserLimits limits_;
};

} // namespace mapscope
