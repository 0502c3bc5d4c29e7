// Which parsers live: of many executables only as many as may at a time, and none that nobody has
// asked for a while. One that rests is started again by the next question.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/handle.h"
#include "binary/parsed_file.h"
#include "binary/parser_process.h"

namespace mapscope {

class ParserStarter;

struct PoolLimits {
  std::size_t alive_max = ~std::size_t{0}; // parsers that live at any time
  std::chrono::milliseconds rest_after{0}; // an unused one ends; 0: never
};

// Used from any thread.
class ParserPool {
public:
  using Clock = std::chrono::steady_clock;

  // `starter`: null where parsers are forked by whoever asks. It outlives the pool.
  ParserPool(const ParserLimits &parser, const PoolLimits &pool, ParserStarter *starter);
  ParserPool(const ParserPool &) = delete;
  ParserPool &operator=(const ParserPool &) = delete;
  ~ParserPool();

  // The parser of `file`, which has to be given back: the one that rested, or a new one, once there
  // is room. One at a time for each file. Errors: as ParserProcess::start; gone, where the file has
  // changed meanwhile, and after stop().
  Result<ParserProcess> take(const ParsedFile &file);
  void give_back(const ParsedFile &file, ParserProcess parser);

  void end_of(const ParsedFile &file);    // its parser, which nobody uses
  void end_rested(Clock::time_point now); // those that rested for long enough; to be called often
  void stop();                            // all, those in use too; nothing starts again
  std::size_t alive() const;              // starting and ending ones included
  std::uint64_t died() const; // by themselves, or since they kept silent or answered nonsense

private:
  struct Resting {
    const ParsedFile *file;
    ParserProcess parser;
    Clock::time_point since;
  };

  Result<ParserProcess> start(const ParsedFile &file);
  void end(std::list<Resting> ended); // what was taken out of `resting_`; waits for nothing
  void reap();                        // those that have ended; makes their room known

  ParserLimits parser_limits_;
  PoolLimits limits_;
  ParserStarter *starter_;

  mutable std::mutex mutex_;
  std::condition_variable room_;
  bool is_stopped_ = false;
  std::size_t alive_ = 0;
  std::uint64_t died_ = 0;
  std::list<Resting> resting_; // the one that has rested for longest first
  std::list<Resting> ending_;  // killed, and not known to be dead
  std::map<const ParsedFile *, std::shared_ptr<const Fd>> in_use_; // pidfds
};

} // namespace mapscope
