// Who gets the next parser; see parser_pool.h. No lock is held while one is started, asked or
// ended.
#include "binary/parser_pool.h"

#include <algorithm>
#include <csignal>
#include <iterator>
#include <optional>
#include <utility>

#include <sys/syscall.h>
#include <unistd.h>

namespace mapscope {

ParserPool::ParserPool(const ParserLimits &parser, const PoolLimits &pool, ParserStarter *starter)
    : parser_limits_(parser), limits_(pool), starter_(starter) {}

ParserPool::~ParserPool() = default;

Result<ParserProcess> ParserPool::start(const ParsedFile &file) {
  TRY(file.check_unchanged());
  return ParserProcess::start(file.file(), file.path(), parser_limits_, starter_);
}

Result<ParserProcess> ParserPool::take(const ParsedFile &file) {
  reap();
  std::list<Resting> evicted;
  {
    std::unique_lock lock{mutex_};
    auto own = std::ranges::find(resting_, &file, &Resting::file);
    if (own != resting_.end() && !is_stopped_) {
      ParserProcess parser = std::move(own->parser);
      resting_.erase(own);
      in_use_[&file] = parser.handle();
      return parser;
    }
    room_.wait(lock, [&] {
      return is_stopped_ || alive_ < limits_.alive_max || !resting_.empty() || !ending_.empty();
    });
    if (is_stopped_)
      return fail(Errc::gone, "{}: not asked, since mapscope is about to end", file.path());
    if (alive_ < limits_.alive_max)
      ++alive_;
    else if (!ending_.empty())
      evicted.splice(evicted.end(), ending_, ending_.begin());
    else
      evicted.splice(evicted.end(), resting_, resting_.begin());
  }
  evicted.clear(); // before the next one starts: it counts as alive until it is gone
  auto started = start(file);
  const std::lock_guard lock{mutex_};
  if (!started) {
    --alive_;
    room_.notify_one();
    return started;
  }
  in_use_[&file] = started->handle();
  if (is_stopped_)
    (void)::syscall(SYS_pidfd_send_signal, started->handle()->get(), SIGKILL, nullptr, 0);
  return started;
}

void ParserPool::give_back(const ParsedFile &file, ParserProcess parser) {
  const std::lock_guard lock{mutex_};
  in_use_.erase(&file);
  if (parser.has_ended()) {
    --alive_;
    died_ += is_stopped_ ? 0 : 1;
  } else {
    resting_.push_back({&file, std::move(parser), Clock::now()});
  }
  room_.notify_one();
}

void ParserPool::end(std::list<Resting> ended) {
  for (const Resting &one : ended)
    one.parser.kill();
  const std::lock_guard lock{mutex_};
  ending_.splice(ending_.end(), ended);
  room_.notify_all();
}

void ParserPool::reap() {
  std::list<Resting> dead;
  {
    const std::lock_guard lock{mutex_};
    for (auto one = ending_.begin(); one != ending_.end();)
      if (auto next = std::next(one); one->parser.is_dead())
        dead.splice(dead.end(), ending_, std::exchange(one, next));
      else
        one = next;
  }
  const std::size_t count = dead.size();
  if (count == 0)
    return;
  dead.clear();
  const std::lock_guard lock{mutex_};
  alive_ -= count;
  room_.notify_all();
}

void ParserPool::end_of(const ParsedFile &file) {
  std::list<Resting> ended;
  {
    const std::lock_guard lock{mutex_};
    if (auto own = std::ranges::find(resting_, &file, &Resting::file); own != resting_.end())
      ended.splice(ended.end(), resting_, own);
  }
  end(std::move(ended));
  reap();
}

void ParserPool::end_rested(Clock::time_point now) {
  std::list<Resting> ended;
  if (limits_.rest_after.count() != 0) {
    const std::lock_guard lock{mutex_};
    while (!resting_.empty() && now - resting_.front().since >= limits_.rest_after)
      ended.splice(ended.end(), resting_, resting_.begin());
  }
  end(std::move(ended));
  reap();
}

void ParserPool::stop() {
  std::list<Resting> ended;
  {
    const std::lock_guard lock{mutex_};
    is_stopped_ = true;
    ended.swap(resting_);
    for (const auto &[file, process] : in_use_)
      (void)::syscall(SYS_pidfd_send_signal, process->get(), SIGKILL, nullptr, 0);
    room_.notify_all();
  }
  end(std::move(ended));
}

std::size_t ParserPool::alive() const {
  const std::lock_guard lock{mutex_};
  return alive_;
}

std::uint64_t ParserPool::died() const {
  const std::lock_guard lock{mutex_};
  return died_;
}

} // namespace mapscope
