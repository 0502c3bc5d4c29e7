// The thread that looks at the kernel's maps; see bpf_watcher.h.
#include "pipeline/daemon/bpf_watcher.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "judge/rules/bpf_rules.h"
#include "pipeline/privileges.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSampledMapsMax = 4; // whose looked-up keys are asked for in one look
// Descriptors of all processes are gone through when a map is new, and so often at least.
constexpr std::uint64_t kHoldersEveryNs = 600'000'000'000;

// Who holds which map, from the last look that asked: the others are told it without asking again.
class RememberedHolders {
public:
  bool are_due(std::uint64_t now_ns) const {
    return has_new_ || now_ns - asked_ns_ >= kHoldersEveryNs;
  }

  void take(BpfMapsLook &look, bool was_asked) {
    if (was_asked) {
      maps_.clear();
      asked_ns_ = look.time_ns;
    }
    has_new_ = false;
    for (BpfMapSample &map : look.maps) {
      if (was_asked) {
        maps_[map.facts.id] = {map.facts.holders, map.facts.owner, map.facts.pinned_paths};
      } else if (const auto known = maps_.find(map.facts.id); known != maps_.end()) {
        map.facts.holders = known->second.holders;
        map.facts.owner = known->second.owner;
        if (map.facts.pinned_paths.empty())
          map.facts.pinned_paths = known->second.pinned_paths;
      } else {
        has_new_ = true;
      }
    }
  }

private:
  struct Known {
    std::vector<BpfMapHolder> holders;
    std::string owner;
    std::vector<std::string> pinned_paths;
  };
  std::map<std::uint32_t, Known> maps_; // by id
  bool has_new_ = true;
  std::uint64_t asked_ns_ = 0;
};

class BpfWatcherThread final : public BpfWatcher {
public:
  BpfWatcherThread(const BpfConfig &config, BpfWatcherParts parts)
      : parts_(std::move(parts)), config_(config), key_files_(parts_.write_keys),
        keeps_admin_(config.enabled), thread_([this] { run(); }) {}
  ~BpfWatcherThread() override { stop(); }

  void begin(std::function<void(BpfMapsSample)> hear) override;
  void set_needs(const BpfNeeds &needs) override;
  void set_config(const BpfConfig &config) override;
  std::shared_ptr<const BpfMapsLook> last_look() const override;
  BpfWatcherFigures figures() const override;
  void stop() override;

private:
  using Lock = std::unique_lock<std::mutex>;
  struct Wishes {
    BpfConfig config;
    BpfNeeds needs;
  };

  void run();
  bool is_wanted() const { return config_.enabled && hear_ && (needs_.looks || config_.metrics); }
  bool wait_until_due(Lock &lock);
  void rest(Lock &lock);
  Result<BpfMapsLook> look(const Wishes &wishes);
  void add_looked_up_keys(const Wishes &wishes, BpfMapsLook &look);
  void publish(Lock &lock, Result<BpfMapsLook> look);

  BpfWatcherParts parts_;
  mutable std::mutex mutex_; // of what follows
  std::condition_variable wake_;
  BpfConfig config_;
  BpfNeeds needs_;
  std::function<void(BpfMapsSample)> hear_;
  std::shared_ptr<const BpfMapsLook> last_;
  BpfWatcherFigures figures_;
  std::atomic<bool> is_stopping_ = false;

  // Of the thread alone.
  std::unique_ptr<BpfMapWatch> watch_;
  BpfKeyFiles key_files_;
  RememberedHolders holders_;
  std::vector<std::uint32_t> hammered_; // maps, at the last look
  std::uint64_t due_ns_ = 0;            // the next look
  const bool keeps_admin_;

  std::thread thread_; // the last: it works with all of these
};

void BpfWatcherThread::begin(std::function<void(BpfMapsSample)> hear) {
  const Lock lock{mutex_};
  hear_ = std::move(hear);
  wake_.notify_all();
}

void BpfWatcherThread::set_needs(const BpfNeeds &needs) {
  const Lock lock{mutex_};
  needs_ = needs;
  wake_.notify_all();
}

void BpfWatcherThread::set_config(const BpfConfig &config) {
  const Lock lock{mutex_};
  if (config.enabled && !keeps_admin_ && !config_.enabled)
    spdlog::warn("bpf.enabled was false at the start, so that the right to see the kernel's maps "
                 "was given up: a restart gets it back");
  config_ = config;
  wake_.notify_all();
}

std::shared_ptr<const BpfMapsLook> BpfWatcherThread::last_look() const {
  const Lock lock{mutex_};
  return last_;
}

BpfWatcherFigures BpfWatcherThread::figures() const {
  const Lock lock{mutex_};
  return figures_;
}

void BpfWatcherThread::stop() {
  {
    const Lock lock{mutex_};
    is_stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

// False: it is to stop.
bool BpfWatcherThread::wait_until_due(Lock &lock) {
  while (!is_stopping_) {
    if (!is_wanted()) {
      rest(lock);
      wake_.wait(lock, [this] { return is_stopping_ || is_wanted(); });
      due_ns_ = 0;
      continue;
    }
    const std::uint64_t now = now_ns();
    const auto interval = static_cast<std::uint64_t>(
        std::chrono::nanoseconds{std::max<Seconds>(config_.interval, 1s)}.count());
    due_ns_ = std::min(due_ns_, now + interval); // it may have become shorter
    if (due_ns_ <= now) {
      due_ns_ = now + interval;
      return true;
    }
    wake_.wait_for(lock, std::chrono::nanoseconds{due_ns_ - now});
  }
  return false;
}

// Nobody wants to know: what looking needs is given back.
void BpfWatcherThread::rest(Lock &lock) {
  last_.reset();
  figures_.problem.clear();
  lock.unlock();
  watch_.reset();
  holders_ = {};
  hammered_.clear();
  ::malloc_trim(0);
  lock.lock();
}

// Whose lookups were many, but not which keys: asked for at once, so that an alert has them.
void BpfWatcherThread::add_looked_up_keys(const Wishes &wishes, BpfMapsLook &look) {
  const std::vector<std::uint32_t> asked = std::exchange(hammered_, {});
  for (BpfMapSample &map : look.maps) {
    const bool is_one =
        std::ranges::any_of(wishes.needs.key_samples, [&map](const BpfLookupsRule &rule) {
          return judges_lookups(rule, map.facts) && is_hammered(rule, map);
        });
    if (!is_one || hammered_.size() >= kSampledMapsMax)
      continue;
    hammered_.push_back(map.facts.id);
    if (map.keys || std::ranges::find(asked, map.facts.id) != asked.end() || is_stopping_)
      continue;
    BpfLookOptions options = bpf_look_options(wishes.config, wishes.needs);
    options.with_holders = options.program_rates = false;
    options.only = map.facts.id;
    options.sample_keys_of = {map.facts.id};
    if (auto again = watch_->look(options, &is_stopping_); again && !again->maps.empty()) {
      map.keys = std::move(again->maps.front().keys);
      look.cpu_ns += again->cpu_ns;
    }
  }
}

Result<BpfMapsLook> BpfWatcherThread::look(const Wishes &wishes) {
  const bool is_first = !watch_;
  if (is_first)
    watch_ = TRY(parts_.start_watch());
  BpfLookOptions options = bpf_look_options(wishes.config, wishes.needs);
  options.with_holders = holders_.are_due(now_ns());
  options.sample_keys_of = hammered_;
  BpfMapsLook look = TRY(watch_->look(options, &is_stopping_));
  holders_.take(look, options.with_holders);
  add_looked_up_keys(wishes, look);
  key_files_.keep(look, wishes.needs, wishes.config);
  if (is_first)
    ::malloc_trim(0); // what loading took
  return look;
}

void BpfWatcherThread::publish(Lock &lock, Result<BpfMapsLook> look) {
  if (!look) {
    if (!is_stopping_ && figures_.problem.empty())
      spdlog::warn("the kernel's maps can't be looked at: {}", look.error().message());
    ++figures_.failures;
    figures_.problem = look.error().message();
    last_.reset(); // it is too old to be shown
    return;
  }
  figures_.problem.clear();
  ++figures_.looks;
  figures_.cpu_ns += look->cpu_ns;
  figures_.not_counted += look->not_counted;
  for (const BpfMapSample &map : look->maps)
    figures_.calls_lost += map.rates ? map.rates->lost : 0;
  figures_.key_files = key_files_.figures();
  last_ = std::make_shared<const BpfMapsLook>(*std::move(look));
  const auto told = last_;
  const auto hear = hear_;
  lock.unlock();
  hear(bpf_sample_of(*told));
  lock.lock();
}

void BpfWatcherThread::run() {
  if (auto kept = keeps_admin_ ? keep_bpf_map_privileges() : keep_tracing_privileges(); !kept)
    spdlog::debug("the thread that looks at the kernel's maps keeps its capabilities: {}",
                  kept.error().message());
  Lock lock{mutex_};
  while (wait_until_due(lock)) {
    const Wishes wishes{.config = config_, .needs = needs_};
    lock.unlock();
    Result<BpfMapsLook> taken = look(wishes);
    lock.lock();
    if (!is_stopping_ && is_wanted())
      publish(lock, std::move(taken));
  }
  lock.unlock();
  watch_.reset(); // nothing stays attached
}

} // namespace

std::unique_ptr<BpfWatcher> BpfWatcher::start(const BpfConfig &config, BpfWatcherParts parts) {
  return std::make_unique<BpfWatcherThread>(config, std::move(parts));
}

BpfLookOptions bpf_look_options(const BpfConfig &config, const BpfNeeds &needs) {
  BpfLookOptions options;
  // The budget is of a minute: who looks more often has less each time.
  const double part = std::min(1.0, static_cast<double>(config.interval.count()) / 60);
  options.count_budget = std::chrono::nanoseconds{static_cast<std::int64_t>(
      static_cast<double>(std::chrono::nanoseconds{config.count_budget}.count()) * part)};
  // Runs of programs cost next to nothing to count; system calls are watched where a rule asks.
  options.program_rates = needs.rates || config.metrics;
  options.system_rates = needs.rates || needs.insert_failures;
  if (options.program_rates || options.system_rates)
    options.rate_window = config.rate_window;
  return options;
}

BpfMapsSample bpf_sample_of(const BpfMapsLook &look) {
  BpfMapsSample sample{.time_ns = look.time_ns, .look = {}};
  sample.look = look;
  for (BpfMapSample &map : sample.look.maps) {
    map.facts.holders.clear();
    map.facts.programs.clear();
  }
  return sample;
}

} // namespace mapscope
