// When which rows are sent to a sink; see sink_lane.h.
#include "alert/sink_lane.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <spdlog/spdlog.h>

namespace mapscope {

namespace {

std::uint64_t ns_of(auto duration) {
  const auto count = std::chrono::nanoseconds(duration).count();
  return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

bool is_to_be_told_again(const BookedAlert *booked) {
  return booked != nullptr && booked->notice.alert.finding.is_firing && booked->is_told &&
         !booked->notice.alert.is_silenced;
}

} // namespace

SinkLane::SinkLane(SinkConfig config, std::shared_ptr<AlertSink> sink)
    : config_(std::move(config)), sink_(std::move(sink)), random_(std::random_device{}()) {
  figures_.name = config_.name;
}

void SinkLane::reconfigure(SinkConfig config, std::shared_ptr<AlertSink> sink) {
  config_ = std::move(config);
  sink_ = std::move(sink);
  // What was wrong may be right now.
  blocked_until_ns_ = 0;
  failures_ = 0;
}

SinkFigures SinkLane::figures() const {
  SinkFigures figures = figures_;
  figures.pending = queue_.size();
  return figures;
}

void SinkLane::arm_resend(std::uint64_t now_ns, const AlertBook &book) {
  const bool is_first = !std::exchange(has_begun_, true);
  const auto interval = sink_->resend();
  const bool fires = interval && std::ranges::any_of(book.alerts(), [](const auto &entry) {
                       return is_to_be_told_again(&entry.second);
                     });
  if (!fires) {
    resend_due_ns_ = 0;
    to_resend_.clear();
    return;
  }
  if (resend_due_ns_ == 0) // what fired before a restart may have been forgotten meanwhile
    resend_due_ns_ = is_first ? now_ns : now_ns + ns_of(*interval);
  if (resend_due_ns_ > now_ns || !to_resend_.empty())
    return;
  resend_due_ns_ = now_ns + ns_of(*interval);
  for (const auto &[fingerprint, booked] : book.alerts())
    to_resend_.push_back(fingerprint);
}

LaneTask SinkLane::next(std::uint64_t now_ns, const AlertBook &book) {
  LaneTask task;
  arm_resend(now_ns, book);
  if (now_ns < blocked_until_ns_)
    return task;
  task.rows = queue_.claim(singles_ > 0 ? 1 : sink_->batch_max(), now_ns);
  if (!task.rows.empty())
    return task;
  while (!to_resend_.empty() && task.resends.size() < sink_->batch_max()) {
    std::string fingerprint = std::move(to_resend_.back());
    to_resend_.pop_back();
    // What waits in the queue says more, and must not be overtaken.
    if (is_to_be_told_again(book.find(fingerprint)) && !queue_.has_any_of(fingerprint))
      task.resends.push_back(std::move(fingerprint));
  }
  return task;
}

std::optional<std::uint64_t> SinkLane::wake_time_ns() const {
  std::optional<std::uint64_t> time = queue_.next_time_ns();
  if (!to_resend_.empty())
    time = 0;
  else if (resend_due_ns_ != 0)
    time = std::min(time.value_or(resend_due_ns_), resend_due_ns_);
  if (time)
    time = std::max(*time, blocked_until_ns_);
  return time;
}

std::vector<std::uint64_t> SinkLane::settle(const LaneTask &task, const AlertDelivery &delivery,
                                            std::uint64_t now_ns) {
  std::vector<std::uint64_t> stored;
  singles_ -= std::min(singles_, task.rows.size());
  switch (delivery.outcome) {
  case DeliveryOutcome::accepted:
    failures_ = 0;
    figures_.last_error.clear();
    figures_.delivered += task.rows.size();
    for (const QueuedNotice &row : task.rows)
      remove(row.sequence, stored);
    return stored;
  case DeliveryOutcome::try_later: {
    if (failures_ == 0)
      spdlog::warn("Alert sink \"{}\": {}. It is tried again.", config_.name, delivery.problem);
    std::uint64_t delay = delay_ns(failures_++);
    if (delivery.not_before)
      delay = std::max(delay, std::min(ns_of(*delivery.not_before), ns_of(config_.retry_longest)));
    blocked_until_ns_ = now_ns + delay;
    for (const QueuedNotice &row : task.rows)
      queue_.put_back(row.sequence);
    std::ranges::copy(task.resends, std::back_inserter(to_resend_));
    break;
  }
  case DeliveryOutcome::refused:
    failures_ = 0; // it answers
    refuse(task, delivery, now_ns, stored);
    break;
  }
  ++figures_.failed_attempts;
  figures_.last_error = delivery.problem;
  return stored;
}

void SinkLane::refuse(const LaneTask &task, const AlertDelivery &delivery, std::uint64_t now_ns,
                      std::vector<std::uint64_t> &stored) {
  if (task.rows.size() != 1) { // which one it is shows when each goes by itself
    for (const QueuedNotice &row : task.rows)
      queue_.put_back(row.sequence);
    singles_ = task.rows.size();
    return; // those that are only told again are told again later
  }
  const QueuedNotice &row = task.rows.front();
  if (row.refusals + 1 < kRefusalsMax) {
    queue_.put_back(row.sequence, now_ns + delay_ns(row.refusals));
    return;
  }
  spdlog::error("Alert sink \"{}\" has refused alert {} {} times, so it is given up: {}.",
                config_.name, row.fingerprint, kRefusalsMax, delivery.problem);
  ++figures_.dropped;
  remove(row.sequence, stored);
}

void SinkLane::remove(std::uint64_t sequence, std::vector<std::uint64_t> &stored) {
  // Its state of now: it may have been written since it was claimed.
  if (const QueuedNotice *row = queue_.find(sequence); row != nullptr && row->is_stored)
    stored.push_back(sequence);
  queue_.remove(sequence);
}

std::vector<std::uint64_t> SinkLane::limit(std::optional<std::size_t> texts_max) {
  std::vector<std::uint64_t> stored;
  auto dropped = [&](const QueuedNotice &row) {
    ++figures_.dropped;
    if (row.is_stored)
      stored.push_back(row.sequence);
  };
  const std::uint64_t before = figures_.dropped;
  queue_.limit(config_.queue_max, dropped);
  if (texts_max)
    queue_.limit_texts(*texts_max, dropped);
  if (before == 0 && figures_.dropped != 0)
    spdlog::error("Alert sink \"{}\" takes nothing and its queue is full: alerts are dropped, "
                  "resolved ones first. How many is counted.",
                  config_.name);
  return stored;
}

std::vector<std::uint64_t> SinkLane::give_up(std::uint64_t sequence, std::string problem) {
  std::vector<std::uint64_t> stored;
  ++figures_.dropped;
  figures_.last_error = std::move(problem);
  spdlog::error("Alert sink \"{}\": {}. It is given up.", config_.name, figures_.last_error);
  remove(sequence, stored);
  return stored;
}

std::uint64_t SinkLane::delay_ns(std::uint32_t failures) {
  const std::uint64_t longest = ns_of(config_.retry_longest);
  const std::uint64_t first = std::min(ns_of(config_.retry_first), longest);
  const std::uint64_t delay =
      failures < 32 && first <= longest >> failures ? first << failures : longest;
  // Receivers that come back must not be met by all hosts at once.
  std::uniform_real_distribution<double> share(0.75, 1.0);
  return static_cast<std::uint64_t>(static_cast<double>(delay) * share(random_));
}

} // namespace mapscope
