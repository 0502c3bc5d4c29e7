// A loop around poll(2); see connections.h.
#include "serve/connections.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <list>
#include <system_error>
#include <thread>
#include <utility>

#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "serve/answer_pool.h"

namespace mapscope {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::uint64_t kMillisecondNs = 1'000'000;
// After an answer: so long and so much is read on, since a close with unread bytes would take the
// answer back.
constexpr std::uint64_t kDrainNs = 500 * kMillisecondNs;
constexpr std::size_t kDrainBytesMax = 64 << 10;
constexpr std::size_t kAcceptedAtOnce = 16;
constexpr std::uint64_t kAcceptPauseNs = 100 * kMillisecondNs; // when descriptors are used up

struct Connection {
  enum class State : std::uint8_t { reading, answering, writing, draining };

  std::uint64_t number = 0;
  Fd socket;
  Transport transport = Transport::tcp;
  State state = State::reading;
  std::uint64_t deadline_ns = 0;
  std::string request;
  std::string answer;
  std::size_t written = 0, drained = 0;
  bool is_done = false;
};

short wanted_events(Connection::State state) {
  switch (state) {
  case Connection::State::reading:
  case Connection::State::draining:
    return POLLIN;
  case Connection::State::writing:
    return POLLOUT;
  case Connection::State::answering:
    break;
  }
  return 0;
}

bool is_for_later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

class PollLoop final : public ConnectionLoop {
public:
  PollLoop(std::vector<ListeningSocket> listeners, Answer answer, ConnectionLimits limits, Fd wake)
      : listeners_(std::move(listeners)), limits_(limits), wake_(std::move(wake)),
        pool_(std::move(answer), wake_), thread_([this] { run(); }) {}
  ~PollLoop() override { stop(std::chrono::milliseconds{0}); }

  void stop(std::chrono::milliseconds patience) override {
    if (!thread_.joinable())
      return;
    stop_at_ns_ = now_ns() + static_cast<std::uint64_t>(patience.count()) * kMillisecondNs;
    wake_up(wake_);
    thread_.join();
    pool_.stop();
    connections_.clear();
  }

private:
  void run();
  bool is_over() const;
  void wait();
  int timeout_ms() const;
  void accept_some(const ListeningSocket &listener);
  bool accept_one(const ListeningSocket &listener);
  void go_on(Connection &connection);
  void read(Connection &connection);
  void write(Connection &connection);
  void drain(Connection &connection);
  void begin_answer(Connection &connection, std::string bytes);
  void give_up(Connection &connection);
  void take_answers();
  void limit_waiting_bytes();
  std::uint64_t deadline(std::chrono::milliseconds timeout) const {
    return now_ns() + static_cast<std::uint64_t>(timeout.count()) * kMillisecondNs;
  }

  std::vector<ListeningSocket> listeners_;
  ConnectionLimits limits_;
  Fd wake_;
  std::list<Connection> connections_; // the oldest first
  std::uint64_t accepted_ = 0, accept_again_ns_ = 0;
  std::vector<pollfd> polled_;
  std::atomic<std::uint64_t> stop_at_ns_ = UINT64_MAX;
  AnswerPool pool_;
  std::thread thread_; // last: it uses all of these
};

void PollLoop::run() {
  drop_thread_capabilities();
  while (!is_over()) {
    wait();
    take_answers();
    const std::uint64_t now = now_ns();
    for (Connection &connection : connections_)
      if (now >= connection.deadline_ns && !connection.is_done)
        give_up(connection);
    limit_waiting_bytes();
    connections_.remove_if([](const Connection &connection) { return connection.is_done; });
  }
}

// Who sent half a request is told; who does not read is not.
void PollLoop::give_up(Connection &connection) {
  if (connection.state == Connection::State::reading && !connection.request.empty())
    begin_answer(connection, bare_answer(408, "the request did not come whole in time"));
  else
    connection.is_done = connection.state != Connection::State::answering;
}

// When it is to stop: everything is answered, or patience has ended.
bool PollLoop::is_over() const {
  const std::uint64_t stop_at_ns = stop_at_ns_;
  if (stop_at_ns == UINT64_MAX)
    return false;
  return now_ns() >= stop_at_ns || std::ranges::none_of(connections_, [](const Connection &it) {
           return it.state == Connection::State::answering ||
                  it.state == Connection::State::writing;
         });
}

int PollLoop::timeout_ms() const {
  std::uint64_t earliest = stop_at_ns_;
  if (accept_again_ns_ != 0)
    earliest = std::min(earliest, accept_again_ns_);
  for (const Connection &connection : connections_)
    if (connection.state != Connection::State::answering)
      earliest = std::min(earliest, connection.deadline_ns);
  if (earliest == UINT64_MAX)
    return -1;
  const std::uint64_t now = now_ns();
  return earliest <= now ? 0 : static_cast<int>((earliest - now) / kMillisecondNs) + 1;
}

void PollLoop::wait() {
  polled_.assign(1, {.fd = wake_.get(), .events = POLLIN, .revents = 0});
  const bool accepts = stop_at_ns_ == UINT64_MAX && now_ns() >= accept_again_ns_;
  if (accepts)
    accept_again_ns_ = 0;
  for (const ListeningSocket &listener : listeners_)
    polled_.push_back(
        {.fd = accepts ? listener.socket->get() : -1, .events = POLLIN, .revents = 0});
  for (const Connection &connection : connections_) {
    const short events = wanted_events(connection.state);
    polled_.push_back(
        {.fd = events == 0 ? -1 : connection.socket.get(), .events = events, .revents = 0});
  }
  if (::poll(polled_.data(), polled_.size(), timeout_ms()) <= 0)
    return;
  if (polled_[0].revents != 0) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
  }
  std::size_t at = 1 + listeners_.size();
  for (Connection &connection : connections_)
    if (polled_[at++].revents != 0)
      go_on(connection);
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    if (polled_[1 + i].revents != 0)
      accept_some(listeners_[i]);
}

// Not all that wait at once: those that are in have a word first.
void PollLoop::accept_some(const ListeningSocket &listener) {
  for (std::size_t i = 0; i < kAcceptedAtOnce; ++i)
    if (!accept_one(listener))
      return;
}

bool PollLoop::accept_one(const ListeningSocket &listener) {
  const auto lags = [](const Connection &connection) {
    return !connection.is_done && connection.state != Connection::State::answering;
  };
  const auto open = std::ranges::count(connections_, false, &Connection::is_done);
  const bool is_full = static_cast<std::size_t>(open) >= limits_.connections_max;
  const auto lagging = is_full ? std::ranges::find_if(connections_, lags) : connections_.end();
  Fd socket;
  if (!is_full || lagging != connections_.end()) {
    socket = Fd{::accept4(listener.socket->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket && (is_for_later(errno) || errno == ECONNABORTED))
      return false;
  }
  if (!socket) { // everybody waits for an answer, or descriptors are used up
    accept_again_ns_ = now_ns() + kAcceptPauseNs;
    return false;
  }
  if (lagging != connections_.end())
    lagging->is_done = true;
  connections_.push_back({.number = ++accepted_,
                          .socket = std::move(socket),
                          .transport = listener.transport,
                          .deadline_ns = deadline(limits_.request_timeout)});
  return true;
}

void PollLoop::go_on(Connection &connection) {
  switch (connection.state) {
  case Connection::State::reading:
    return read(connection);
  case Connection::State::writing:
    return write(connection);
  case Connection::State::draining:
    return drain(connection);
  case Connection::State::answering:
    return;
  }
}

void PollLoop::read(Connection &connection) {
  std::array<char, 4096> bytes;
  const ssize_t length = ::recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
  if (length <= 0) {
    connection.is_done = length == 0 || !is_for_later(errno);
    return;
  }
  std::string &request = connection.request;
  const std::size_t search_from = request.size() - std::min(request.size(), kEndOfHead.size() - 1);
  request.append(bytes.data(), static_cast<std::size_t>(length));
  const std::size_t end = request.find(kEndOfHead, search_from);
  if (end != request.npos && end <= limits_.request_bytes_max) {
    request.resize(end + kEndOfHead.size());
    connection.state = Connection::State::answering;
    pool_.give({connection.number, connection.transport, std::move(request)});
    request = {};
  } else if (request.size() > limits_.request_bytes_max) {
    begin_answer(connection, bare_answer(431, "the head of the request is too long"));
  }
}

void PollLoop::begin_answer(Connection &connection, std::string bytes) {
  connection.answer = std::move(bytes);
  connection.state = Connection::State::writing;
  connection.deadline_ns = deadline(limits_.answer_timeout);
  connection.request = {};
  write(connection); // most answers fit into the socket at once
}

void PollLoop::write(Connection &connection) {
  std::string &answer = connection.answer;
  while (connection.written < answer.size()) {
    const ssize_t length = ::send(connection.socket.get(), answer.data() + connection.written,
                                  answer.size() - connection.written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (length < 0) {
      connection.is_done = !is_for_later(errno);
      return;
    }
    connection.written += static_cast<std::size_t>(length);
  }
  answer = {};
  connection.written = 0;
  ::shutdown(connection.socket.get(), SHUT_WR);
  connection.state = Connection::State::draining;
  connection.deadline_ns = now_ns() + kDrainNs;
}

void PollLoop::drain(Connection &connection) {
  std::array<char, 4096> bytes;
  const ssize_t length = ::recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
  if (length <= 0) {
    connection.is_done = length == 0 || !is_for_later(errno);
    return;
  }
  connection.drained += static_cast<std::size_t>(length);
  connection.is_done = connection.drained > kDrainBytesMax;
}

void PollLoop::take_answers() {
  for (AnswerPool::Done &done : pool_.take()) {
    const auto connection = std::ranges::find(connections_, done.connection, &Connection::number);
    if (connection != connections_.end())
      begin_answer(*connection, std::move(done.bytes));
  }
}

void PollLoop::limit_waiting_bytes() {
  std::size_t waiting = 0;
  for (const Connection &connection : connections_)
    waiting += connection.is_done ? 0 : connection.answer.size();
  for (Connection &connection : connections_) {
    if (waiting <= limits_.waiting_bytes_max)
      return;
    if (connection.is_done || connection.answer.empty())
      continue;
    if (waiting == connection.answer.size())
      return; // one answer may be as large as it likes
    waiting -= connection.answer.size();
    connection.is_done = true;
  }
}

} // namespace

Result<std::unique_ptr<ConnectionLoop>>
ConnectionLoop::start(std::vector<ListeningSocket> listeners, Answer answer,
                      ConnectionLimits limits) {
  Fd wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  if (!wake)
    return std::unexpected(Error::from_errno("making an eventfd"));
  // Threads inherit the mask: signals are for others.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<std::unique_ptr<ConnectionLoop>> loop = nullptr;
  try {
    loop = std::make_unique<PollLoop>(std::move(listeners), std::move(answer), limits,
                                      std::move(wake));
  } catch (const std::system_error &error) {
    loop = fail(Errc::system, "starting the threads that serve: {}", error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return loop;
}

} // namespace mapscope
