// A queue with two threads behind it; see answer_pool.h.
#include "serve/answer_pool.h"

#include <exception>
#include <system_error>
#include <utility>

#include <cap-ng.h>
#include <sys/eventfd.h>

namespace mapscope {
namespace {

// One for what takes long, of which there is one at a time (see routes.h), one for the rest.
constexpr std::size_t kThreads = 2;

} // namespace

void drop_thread_capabilities() {
  capng_clear(CAPNG_SELECT_CAPS);
  capng_apply(CAPNG_SELECT_CAPS); // of this thread; to have fewer is always allowed
}

void wake_up(const Fd &event) { ::eventfd_write(event.get(), 1); }

AnswerPool::AnswerPool(ConnectionLoop::Answer answer, const Fd &wake)
    : answer_(std::move(answer)), wake_(wake) {
  threads_.reserve(kThreads);
  try {
    while (threads_.size() < kThreads)
      threads_.emplace_back([this] { work(); });
  } catch (const std::system_error &) {
    stop();
    throw;
  }
}

AnswerPool::~AnswerPool() { stop(); }

void AnswerPool::give(Request request) {
  const std::scoped_lock lock{mutex_};
  requests_.push_back(std::move(request));
  changed_.notify_one();
}

std::vector<AnswerPool::Done> AnswerPool::take() {
  const std::scoped_lock lock{mutex_};
  return std::exchange(done_, {});
}

void AnswerPool::stop() {
  {
    const std::scoped_lock lock{mutex_};
    is_stopping_ = true;
    requests_.clear();
    changed_.notify_all();
  }
  for (std::thread &thread : threads_)
    thread.join();
  threads_.clear();
}

void AnswerPool::work() {
  drop_thread_capabilities();
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return is_stopping_ || !requests_.empty(); });
    if (is_stopping_)
      return;
    const Request request = std::move(requests_.front());
    requests_.pop_front();
    lock.unlock();
    Done done{.connection = request.connection};
    try {
      done.bytes = answer_(request.transport, request.bytes);
    } catch (const std::exception &) { // no memory for it
      done.bytes = bare_answer(500, "this could not be answered");
    }
    lock.lock();
    done_.push_back(std::move(done));
    wake_up(wake_);
  }
}

} // namespace mapscope
