// Threads that open executables, as many as there is work for; see executable_opener.h.
#include "pipeline/daemon/executable_opener.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "attach/process.h"
#include "base/clock.h"
#include "base/duplicate.h"
#include "base/process_files.h"
#include "binary/go_look.h"
#include "flow/process_selector.h"

namespace mapscope {

namespace {

// Longer than any parser may take. As many threads may be held by files before no more come.
constexpr std::uint64_t kHeldNs = 30'000'000'000;
constexpr std::size_t kHeldMax = 32;

struct Job {
  pid_t pid = 0;
  std::shared_ptr<const WatchConfig> config;
};

} // namespace

// Outlives the opener while a thread is held by a file: such a one touches nothing else.
struct ExecutableOpener::Shared {
  explicit Shared(BinaryCache &cache) : binaries(cache) {}

  UserNames users;
  std::mutex mutex;
  std::condition_variable changed;
  bool is_stopped = false;
  std::deque<Job> jobs;
  std::vector<OpenedExecutable> ready;
  std::size_t working = 0;              // threads
  std::multiset<std::uint64_t> in_work; // jobs, by the time when they began
  std::size_t parsing = 0;              // threads that use `binaries`
  BinaryCache &binaries;

  OpenedExecutable open(const Job &job);
  void parse(const ProcessInfo &process, OpenedExecutable &opened);
};

bool is_watched(const WatchConfig &config, const ProcessIdentity &process) {
  auto names_it = [&](const ProcessSelector &selector) { return matches(selector, process); };
  return (config.include.empty() || std::ranges::any_of(config.include, names_it)) &&
         std::ranges::none_of(config.exclude, names_it);
}

// What it is can't be told without its parser, but for programs that are surely none of Go.
void ExecutableOpener::Shared::parse(const ProcessInfo &process, OpenedExecutable &opened) {
  {
    const std::lock_guard lock{mutex};
    if (is_stopped)
      return;
    ++parsing;
  }
  auto file = duplicate(process.executable);
  auto binary = file ? binaries.open(std::move(*file), opened.process.exe)
                     : std::unexpected(std::move(file).error());
  opened.as = OpenedAs::go;
  if (binary)
    opened.binary = *std::move(binary);
  else if (binary.error().code() == Errc::not_found)
    opened.as = OpenedAs::no_go;
  else
    opened.problem = binary.error().message();
  const std::lock_guard lock{mutex};
  --parsing;
  changed.notify_all();
}

OpenedExecutable ExecutableOpener::Shared::open(const Job &job) {
  OpenedExecutable opened{.pid = job.pid, .looked_at_ns = now_ns(CLOCK_MONOTONIC)};
  auto give_up = [&](const Error &error) {
    opened.as = error.code() == Errc::denied ? OpenedAs::denied : OpenedAs::gone;
    return opened;
  };
  auto process = find_process(job.pid);
  if (!process)
    return give_up(process.error());
  auto file = ParsedFile::identity_of(process->executable);
  if (!file)
    return give_up(file.error());
  opened.file = *file;
  const auto go = may_be_go(process->executable);
  if (!go)
    return give_up(go.error());
  opened.as = OpenedAs::no_go;
  if (!*go)
    return opened;
  auto identity = read_identity(*process, users);
  if (!identity)
    return give_up(identity.error());
  opened.process = *std::move(identity);
  const auto stat = read_process_stat(job.pid);
  if (!stat || stat->start_time_ns != process->key.start_time_ns)
    return give_up(Error{Errc::gone, "another process"});
  opened.stack_start = stat->stack_start;
  opened.as = OpenedAs::excluded;
  if (is_watched(*job.config, opened.process)) {
    opened.as = OpenedAs::gone;
    parse(*process, opened);
  }
  return opened;
}

ExecutableOpener::ExecutableOpener(BinaryCache &binaries, std::size_t threads_max)
    : shared_(std::make_shared<Shared>(binaries)),
      threads_max_(threads_max != 0
                       ? threads_max
                       : std::max<std::size_t>(1, std::thread::hardware_concurrency())) {}

ExecutableOpener::~ExecutableOpener() {
  std::unique_lock lock{shared_->mutex};
  shared_->is_stopped = true;
  shared_->jobs.clear();
  shared_->changed.notify_all();
  if (shared_->parsing != 0)
    shared_->binaries.stop();
  shared_->changed.wait(lock, [&] { return shared_->parsing == 0; });
}

void ExecutableOpener::work(const std::shared_ptr<Shared> &shared) {
  std::unique_lock lock{shared->mutex};
  while (!shared->jobs.empty()) {
    const Job job = std::move(shared->jobs.front());
    shared->jobs.pop_front();
    const auto began = shared->in_work.insert(now_ns());
    lock.unlock();
    auto opened = shared->open(job);
    lock.lock();
    shared->in_work.erase(began);
    shared->ready.push_back(std::move(opened));
    shared->changed.notify_all();
  }
  --shared->working;
}

void ExecutableOpener::open(pid_t pid, std::shared_ptr<const WatchConfig> config) {
  const std::lock_guard lock{shared_->mutex};
  shared_->jobs.push_back({pid, std::move(config)});
  add_threads();
}

// One for each job, up to the limit; those that a file holds don't count.
void ExecutableOpener::add_threads() {
  const std::uint64_t now = now_ns();
  const auto held = std::ranges::count_if(
      shared_->in_work, [&](std::uint64_t began) { return now - began > kHeldNs; });
  const std::size_t limit =
      threads_max_ + std::min<std::size_t>(kHeldMax, static_cast<std::size_t>(held));
  while (shared_->working < std::min(limit, shared_->jobs.size() + shared_->in_work.size())) {
    try {
      std::thread{[shared = shared_] { work(shared); }}.detach();
      ++shared_->working;
    } catch (const std::system_error &) {
      return; // no more threads: those that there are do it, or the next call finds room
    }
  }
}

std::size_t ExecutableOpener::pending() const {
  const std::lock_guard lock{shared_->mutex};
  return shared_->jobs.size() + shared_->in_work.size() + shared_->ready.size();
}

std::vector<OpenedExecutable> ExecutableOpener::take(std::chrono::milliseconds patience) {
  std::unique_lock lock{shared_->mutex};
  add_threads();
  shared_->changed.wait_for(lock, patience,
                            [&] { return shared_->jobs.empty() && shared_->in_work.empty(); });
  return std::exchange(shared_->ready, {});
}

} // namespace mapscope
