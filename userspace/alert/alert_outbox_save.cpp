// What the outbox writes to its database, and what it does while that is not possible.
#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

#include "alert/alert_outbox.h"
#include "base/clock.h"

namespace mapscope {

namespace {

constexpr std::chrono::seconds kRetryFirst{1};
constexpr std::chrono::seconds kRetryLongest{60};

} // namespace

StoreChanges AlertOutbox::unsaved_changes() const {
  StoreChanges changes{.forgotten = forgotten_, .done = done_};
  for (const std::string &fingerprint : unsaved_)
    if (const BookedAlert *booked = book_.find(fingerprint))
      changes.alerts.push_back({.fingerprint = fingerprint,
                                .is_firing = booked->notice.alert.finding.is_firing,
                                .is_told = booked->is_told,
                                .boot_id = booked->boot_id,
                                .text = stored_text(booked->notice)});
  for (const std::shared_ptr<SinkLane> &lane : lanes_)
    for (const auto &[sequence, row] : lane->queue().entries())
      if (row.text != nullptr)
        changes.notices.push_back({.sequence = sequence,
                                   .sink = lane->config().name,
                                   .fingerprint = row.fingerprint,
                                   .is_firing = row.is_firing,
                                   .text = row.text});
  return changes;
}

void AlertOutbox::mark_saved() {
  unsaved_.clear();
  forgotten_.clear();
  done_.clear();
  for (const std::shared_ptr<SinkLane> &lane : lanes_)
    for (auto &[sequence, row] : lane->queue().entries())
      if (std::exchange(row.text, nullptr) != nullptr)
        row.is_stored = true;
}

// One transaction for all of it.
void AlertOutbox::save() {
  Result<> saved = fail(Errc::system, "{}", problem_); // while there is no database
  if (store_ && !is_closed_) {
    const StoreChanges changes = unsaved_changes();
    saved = changes.empty() ? Result<>{} : store_->save(changes);
  }
  if (saved) {
    mark_saved();
    if (!std::exchange(problem_, {}).empty())
      spdlog::info("The database of alerts {} can be written again.", database_);
    return;
  }
  note_problem(saved.error().message());
  for (const std::shared_ptr<SinkLane> &lane : lanes_)
    for (std::uint64_t sequence : lane->limit(kTextsMax))
      done_.push_back(sequence);
}

void AlertOutbox::note_problem(const std::string &problem) {
  if (problem_.empty())
    spdlog::error("Alerts can't be written to {} ({}), so they are kept in memory and delivered "
                  "from there; a restart would lose them. Writing is tried again.",
                  database_, problem);
  problem_ = problem;
  keeper_.notify_all();
}

void AlertOutbox::keep() {
  std::unique_lock lock(mutex_);
  std::chrono::seconds retry = kRetryFirst;
  while (!is_stopping_) {
    const std::uint64_t wall_ns = now_ns(CLOCK_REALTIME);
    const auto silence_end = book_.next_silence_end_ns(wall_ns);
    if (!problem_.empty()) {
      keeper_.wait_for(lock, retry, [this] { return is_stopping_; });
      retry = std::min(retry * 2, kRetryLongest);
      if (!store_ && !is_stopping_)
        (void)load(); // save() tells what is wrong
    } else if (silence_end) {
      using WallTime = std::chrono::system_clock::time_point;
      keeper_.wait_until(lock, WallTime(std::chrono::duration_cast<WallTime::duration>(
                                   std::chrono::nanoseconds(*silence_end))));
    } else {
      keeper_.wait(lock);
    }
    if (is_stopping_)
      break;
    const std::vector<BookEntry> told =
        book_.unsilence({.mono_ns = now_ns(), .wall_ns = now_ns(CLOCK_REALTIME)});
    for (const BookEntry &entry : told)
      book(entry);
    if (!problem_.empty() || !told.empty())
      save();
    if (problem_.empty())
      retry = kRetryFirst;
    wake_lanes();
  }
}

void AlertOutbox::stop_keeping() {
  std::lock_guard lock(mutex_);
  is_stopping_ = true;
  keeper_.notify_all();
}

void AlertOutbox::close() {
  std::lock_guard lock(mutex_);
  if (store_ && !is_closed_)
    save();
  is_closed_ = true;
  store_.reset();
}

} // namespace mapscope
