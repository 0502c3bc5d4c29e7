// The way to one sink: what waits for it, and when it is tried again. Has no thread and asks no
// clock: AlertOutbox does both, and guards it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "alert/alert_book.h"
#include "alert/alert_queue.h"
#include "alert/alert_sink.h"
#include "flow/daemon_view.h"

namespace mapscope {

// What is to be sent next: rows of the queue, or what fires and is only told again.
struct LaneTask {
  std::vector<QueuedNotice> rows;
  std::vector<std::string> resends; // fingerprints
  bool empty() const { return rows.empty() && resends.empty(); }
};

class SinkLane {
public:
  // How often a receiver may refuse one alert, before it is given up.
  static constexpr std::uint32_t kRefusalsMax = 5;

  SinkLane(SinkConfig config, std::shared_ptr<AlertSink> sink);
  void reconfigure(SinkConfig config, std::shared_ptr<AlertSink> sink);

  const SinkConfig &config() const { return config_; }
  const std::shared_ptr<AlertSink> &sink() const { return sink_; }
  AlertQueue &queue() { return queue_; }
  SinkFigures figures() const;

  LaneTask next(std::uint64_t now_ns, const AlertBook &book);
  // When next() may have something; absent: not before something is queued. After next() only.
  std::optional<std::uint64_t> wake_time_ns() const;
  // Rows that the database need not keep any more.
  std::vector<std::uint64_t> settle(const LaneTask &task, const AlertDelivery &delivery,
                                    std::uint64_t now_ns);
  // Rows that are beyond the queue's limit, or can't be read, are no more. Those in the database.
  std::vector<std::uint64_t> limit(std::optional<std::size_t> texts_max);
  std::vector<std::uint64_t> give_up(std::uint64_t sequence, std::string problem);

  // Of the thread that delivers; guarded as all the rest is.
  std::condition_variable wake;
  bool is_retired = false;   // deliver no more
  bool is_abandoned = false; // nobody waits for the thread: touch nothing
  bool has_ended = false;

private:
  void arm_resend(std::uint64_t now_ns, const AlertBook &book);
  void remove(std::uint64_t sequence, std::vector<std::uint64_t> &stored);
  void refuse(const LaneTask &task, const AlertDelivery &delivery, std::uint64_t now_ns,
              std::vector<std::uint64_t> &stored);
  std::uint64_t delay_ns(std::uint32_t failures); // with jitter

  SinkConfig config_;
  std::shared_ptr<AlertSink> sink_;
  AlertQueue queue_;
  SinkFigures figures_;
  std::uint64_t blocked_until_ns_ = 0;
  std::uint32_t failures_ = 0;      // one after the other
  std::size_t singles_ = 0;         // so many are sent one by one: together they were refused
  std::uint64_t resend_due_ns_ = 0; // 0: nothing fires
  bool has_begun_ = false;
  std::vector<std::string> to_resend_;
  std::minstd_rand random_;
};

} // namespace mapscope
