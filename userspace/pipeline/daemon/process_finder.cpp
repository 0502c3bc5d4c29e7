// Which Go programs run on this host; see process_finder.h.
//
// The kernel's word of an exec says only that a pid is worth a look, one look later: what has
// ended by then costs one system call. A scan of /proc says the same of all that runs, and finds
// what no exec tells of: children that never execute anything.
#include "pipeline/daemon/process_finder.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fcntl.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "attach/process.h"
#include "base/clock.h"
#include "base/lru_table.h"
#include "base/process_files.h"
#include "kernel/process_feed.h"
#include "pipeline/daemon/executable_opener.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kScanNs = 60 * kSecondNs;         // beside the kernel's word
constexpr std::uint64_t kScanAloneNs = 2 * kSecondNs;     // without it
constexpr std::uint64_t kFirstScanMaxNs = 10 * kSecondNs; // some file does not let itself be opened
constexpr std::uint64_t kYoungNs = kSecondNs;
constexpr std::chrono::milliseconds kFirstPatience{250}, kPatience{50};
constexpr std::size_t kCandidatesMax = 65'536;
constexpr std::size_t kOtherProgramsMax = 8192;

struct HashIdentity {
  std::uint64_t operator()(const FileIdentity &file) const {
    const auto &[device, inode, size, seconds, nanoseconds] = file;
    return mix_bits(mix_bits(device ^ mix_bits(inode)) ^ size ^
                    mix_bits(static_cast<std::uint64_t>(seconds) * kSecondNs +
                             static_cast<std::uint64_t>(nanoseconds)));
  }
};

// Of the file that a process executes, as the kernel remembers it: a server of files that does not
// answer must not hold us. Errors: not_found (a kernel thread, or it ended), denied, system.
Result<FileIdentity> executable_of(pid_t pid) {
  const std::string path = fmt::format("/proc/{}/exe", pid);
  struct statx status{};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_INO | STATX_SIZE | STATX_CTIME,
              &status) != 0)
    return std::unexpected(Error::from_errno("looking up an executable"));
  return FileIdentity{::makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino,
                      status.stx_size, status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec};
}

// A new name for the file, or the removal of one, changes the time, not the file. While a process
// runs it, no other has its number.
bool is_same_file(const FileIdentity &left, const FileIdentity &right) {
  return std::get<0>(left) == std::get<0>(right) && std::get<1>(left) == std::get<1>(right);
}

enum class Standing : std::uint8_t {
  watched,
  excluded, // by the watch lists
  left_out, // there are more than WatchConfig::processes_max
};

// A Go program that runs.
struct Known {
  Standing standing = Standing::excluded;
  ProcessIdentity process;
  FileIdentity file;
  std::uint64_t stack_start = 0, looked_at_ns = 0;
  Fd pidfd; // of a watched one: readable once it has ended
};

class Finder final : public ProcessFinder {
public:
  Finder(const WatchConfig &config, BinaryCache &binaries, ExecNews news)
      : config_(std::make_shared<const WatchConfig>(config)), binaries_(binaries),
        ends_(::epoll_create1(EPOLL_CLOEXEC)), opener_(binaries) {
    auto feed = news == ExecNews::from_kernel ? ProcessFeed::start()
                                              : fail(Errc::unsupported, "switched off");
    if (feed)
      feed_.emplace(std::move(*feed));
    else
      figures_.feed_problem = std::move(feed).error().message();
    ::malloc_trim(0); // what libbpf took to load it
  }

  ProcessChanges look() override;
  bool is_complete() const override { return is_complete_; }
  void set_watch(const WatchConfig &config) override;
  ProcessFinderFigures figures() const override;

private:
  using Entry = std::map<pid_t, Known>::iterator;

  void hear_execs(ProcessChanges &changes);
  void hear_ends(ProcessChanges &changes);
  void look_at_candidates(ProcessChanges &changes);
  void let_in();
  void scan(ProcessChanges &changes);
  void consider(pid_t pid, const FileIdentity &file, ProcessChanges &changes);
  bool is_as_known(pid_t pid, const Known &known, const FileIdentity &file) const;
  bool is_young(pid_t pid) const;
  void take_opened(ProcessChanges &changes);
  void add(OpenedExecutable opened, ProcessChanges &changes);
  bool watch_end(pid_t pid, Known &known);
  void forget(Entry entry, ProcessChanges &changes);
  void forget_before(pid_t pid, std::uint64_t time_ns, ProcessChanges &changes);
  void apply_watch(ProcessChanges &changes);
  std::size_t count(Standing standing) const;

  std::shared_ptr<const WatchConfig> config_;
  bool has_new_config_ = false;
  BinaryCache &binaries_;
  std::optional<ProcessFeed> feed_;
  Fd ends_; // an epoll of pidfds
  std::map<pid_t, Known> known_;
  std::map<pid_t, std::uint64_t> candidates_; // with the time of the exec; 0: found by a scan
  std::set<pid_t> in_opening_;
  LruTable<FileIdentity, bool, HashIdentity> other_programs_{kOtherProgramsMax};
  std::uint64_t first_look_ns_ = 0, last_scan_ns_ = 0;
  std::uint64_t lost_before_ = 0;
  bool wants_scan_ = true, is_complete_ = false;
  ProcessFinderFigures figures_;
  ExecutableOpener opener_;
};

ProcessChanges Finder::look() {
  ProcessChanges changes;
  const std::uint64_t now = now_ns(CLOCK_MONOTONIC);
  if (first_look_ns_ == 0)
    first_look_ns_ = now;
  apply_watch(changes);
  hear_ends(changes);
  look_at_candidates(changes);
  hear_execs(changes); // those are looked at the next time
  if (wants_scan_ || now - last_scan_ns_ >= (feed_ ? kScanNs : kScanAloneNs)) {
    last_scan_ns_ = now;
    wants_scan_ = false;
    scan(changes);
  }
  take_opened(changes);
  binaries_.end_rested();
  if (!is_complete_)
    is_complete_ = in_opening_.empty() || now - first_look_ns_ >= kFirstScanMaxNs;
  return changes;
}

void Finder::forget_before(pid_t pid, std::uint64_t time_ns, ProcessChanges &changes) {
  if (auto known = known_.find(pid); known != known_.end() && known->second.looked_at_ns < time_ns)
    forget(known, changes);
}

// What an exec replaced has ended, also where the same program runs again: its memory is another.
void Finder::hear_execs(ProcessChanges &changes) {
  if (!feed_)
    return;
  for (const exec_record &exec : feed_->take()) {
    const auto pid = static_cast<pid_t>(exec.tgid);
    forget_before(pid, exec.time_ns, changes);
    if (candidates_.size() < kCandidatesMax)
      candidates_.insert_or_assign(pid, exec.time_ns);
    else
      wants_scan_ = true;
  }
  const process_feed_counts counts = feed_->counts();
  wants_scan_ |= counts.lost != lost_before_;
  lost_before_ = counts.lost;
}

void Finder::hear_ends(ProcessChanges &changes) {
  std::array<epoll_event, 64> ended;
  // Each pidfd is closed as it is told, so that the next turn has others.
  for (int count = 0;
       (count = ::epoll_wait(ends_.get(), ended.data(), static_cast<int>(ended.size()), 0)) > 0;)
    for (const epoll_event &event : std::span{ended}.first(static_cast<std::size_t>(count)))
      if (auto known = known_.find(static_cast<pid_t>(event.data.u64)); known != known_.end())
        forget(known, changes);
}

void Finder::forget(Entry entry, ProcessChanges &changes) {
  if (entry->second.standing == Standing::watched) {
    changes.ended.push_back(entry->second.process.key);
    wants_scan_ |= count(Standing::left_out) != 0; // there is room for another
  }
  known_.erase(entry); // closing the pidfd takes it out of the epoll
}

void Finder::look_at_candidates(ProcessChanges &changes) {
  for (const auto &[pid, exec_ns] : std::exchange(candidates_, {})) {
    if (::kill(pid, 0) != 0 && errno == ESRCH)
      continue;
    if (in_opening_.contains(pid)) { // maybe what it ran before
      candidates_.emplace(pid, exec_ns);
      continue;
    }
    ++figures_.processes_seen;
    forget_before(pid, exec_ns, changes);
    if (auto file = executable_of(pid))
      consider(pid, *file, changes);
  }
}

// Those that were left out are looked at anew, as many as there is room for.
void Finder::let_in() {
  std::size_t watched = count(Standing::watched);
  std::erase_if(known_, [&](const auto &entry) {
    return entry.second.standing == Standing::left_out && watched++ < config_->processes_max;
  });
}

void Finder::scan(ProcessChanges &changes) {
  let_in();
  const bool is_first = figures_.scans++ == 0;
  figures_.unreadable = 0;
  const std::vector<pid_t> running = running_processes();
  for (const pid_t pid : running) {
    const auto file = executable_of(pid);
    figures_.processes_seen += is_first ? 1 : 0;
    if (file && !is_first && !known_.contains(pid) && is_young(pid))
      candidates_.emplace(pid, 0); // it may end before the next look
    else if (file)
      consider(pid, *file, changes);
    else if (file.error().code() == Errc::denied)
      ++figures_.unreadable;
  }
  for (auto known = known_.begin(); known != known_.end();)
    if (auto entry = known++; !std::ranges::binary_search(running, entry->first))
      forget(entry, changes);
}

// Without the kernel's word an exec shows by another file, or another stack.
bool Finder::is_as_known(pid_t pid, const Known &known, const FileIdentity &file) const {
  if (!is_same_file(known.file, file))
    return false;
  if (feed_ && known.pidfd)
    return true;
  const auto stat = read_process_stat(pid);
  return stat && stat->start_time_ns == known.process.key.start_time_ns &&
         stat->stack_start == known.stack_start;
}

bool Finder::is_young(pid_t pid) const {
  const auto stat = read_process_stat(pid);
  return stat && stat->start_time_ns + kYoungNs > now_ns(CLOCK_BOOTTIME);
}

void Finder::consider(pid_t pid, const FileIdentity &file, ProcessChanges &changes) {
  if (auto known = known_.find(pid); known != known_.end()) {
    if (is_as_known(pid, known->second, file))
      return;
    forget(known, changes);
  }
  if (other_programs_.find(file) != nullptr || in_opening_.contains(pid))
    return;
  in_opening_.insert(pid);
  opener_.open(pid, config_);
}

void Finder::take_opened(ProcessChanges &changes) {
  for (OpenedExecutable &opened : opener_.take(is_complete_ ? kPatience : kFirstPatience)) {
    in_opening_.erase(opened.pid);
    if (opened.as == OpenedAs::denied)
      ++figures_.unreadable;
    if (opened.as == OpenedAs::no_go && other_programs_.find(opened.file) == nullptr)
      other_programs_.insert(opened.file, true);
    if (opened.as == OpenedAs::go || opened.as == OpenedAs::excluded)
      add(std::move(opened), changes);
  }
}

// False: it has ended, or its number is another's by now.
bool Finder::watch_end(pid_t pid, Known &known) {
  known.pidfd = Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  const auto stat = read_process_stat(pid);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = static_cast<std::uint64_t>(pid)}};
  return known.pidfd && stat && stat->start_time_ns == known.process.key.start_time_ns &&
         ::epoll_ctl(ends_.get(), EPOLL_CTL_ADD, known.pidfd.get(), &event) == 0;
}

void Finder::add(OpenedExecutable opened, ProcessChanges &changes) {
  Known known{.process = std::move(opened.process),
              .file = opened.file,
              .stack_start = opened.stack_start,
              .looked_at_ns = opened.looked_at_ns};
  if (opened.as == OpenedAs::go) {
    known.standing =
        count(Standing::watched) < config_->processes_max ? Standing::watched : Standing::left_out;
    if (!is_watched(*config_, known.process)) // the lists have changed meanwhile
      known.standing = Standing::excluded;
  }
  if (known.standing == Standing::watched) {
    if (!watch_end(opened.pid, known))
      return;
    changes.appeared.push_back(
        {known.process, std::move(opened.binary), std::move(opened.problem)});
  }
  known_.insert_or_assign(opened.pid, std::move(known));
}

void Finder::set_watch(const WatchConfig &config) {
  config_ = std::make_shared<const WatchConfig>(config);
  has_new_config_ = true;
}

// Those that were not watched are looked at anew; of too many, the youngest go.
void Finder::apply_watch(ProcessChanges &changes) {
  if (!std::exchange(has_new_config_, false))
    return;
  wants_scan_ = true;
  std::vector<std::pair<std::uint64_t, pid_t>> watched;
  for (auto known = known_.begin(); known != known_.end();) {
    auto entry = known++;
    if (entry->second.standing == Standing::watched && is_watched(*config_, entry->second.process))
      watched.emplace_back(entry->second.process.key.start_time_ns, entry->first);
    else
      forget(entry, changes);
  }
  std::ranges::sort(watched);
  for (; watched.size() > config_->processes_max; watched.pop_back())
    forget(known_.find(watched.back().second), changes);
}

std::size_t Finder::count(Standing standing) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      known_, [&](const auto &entry) { return entry.second.standing == standing; }));
}

ProcessFinderFigures Finder::figures() const {
  ProcessFinderFigures figures = figures_;
  figures.left_out = count(Standing::left_out);
  figures.excluded = count(Standing::excluded);
  if (feed_) {
    const process_feed_counts counts = feed_->counts();
    figures.execs_seen = counts.sent;
    figures.exec_events_lost = counts.lost;
  }
  return figures;
}

} // namespace

std::unique_ptr<ProcessFinder> ProcessFinder::start(const WatchConfig &config,
                                                    BinaryCache &binaries, ExecNews news) {
  return std::make_unique<Finder>(config, binaries, news);
}

} // namespace mapscope
