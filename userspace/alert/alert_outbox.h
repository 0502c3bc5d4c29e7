// All that alerting knows, in memory and on disk, behind one lock: threads of sinks take their work
// from here and say what became of it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "alert/alert_book.h"
#include "alert/alert_store.h"
#include "alert/alerting.h"
#include "alert/sink_lane.h"

namespace mapscope {

class AlertOutbox {
public:
  // How many undelivered alerts a sink may have in memory while the database takes none.
  static constexpr std::size_t kTextsMax = 1000;

  using Lanes = std::vector<std::shared_ptr<SinkLane>>;

  AlertOutbox(const AlertsConfig &config, AlertingOptions options);

  // Opens the database, and takes over what it holds. One that has no space now is tried again.
  // Errors: as AlertStore::open() has them, but for that.
  Result<> open(const AlertsConfig &config);
  void take(std::vector<Finding> findings);
  // Returns those that are new, and those that are no more.
  struct Changed {
    Lanes added, removed;
  };
  Result<Changed> reconfigure(const AlertsConfig &config);

  // For the thread of a lane: delivers until it is retired.
  void deliver(const std::shared_ptr<SinkLane> &lane);
  // For a thread of its own: writes what could not be written, and hears silences end.
  void keep();

  bool flush(std::chrono::milliseconds timeout);
  // The threads of these end. Waits so long for what they are doing, then cuts it off. True of
  // each that has ended; one that has not will touch nothing any more.
  std::vector<bool> retire(const Lanes &lanes, std::chrono::milliseconds patience);
  void stop_keeping();
  void close(); // no thread is left that may write

  std::vector<Finding> firing() const;
  std::vector<Alert> alerts() const;
  AlertingFigures figures() const;
  bool has_ended(const SinkLane &lane) const; // its thread
  Lanes lanes() const;

private:
  Result<> load();
  void load_alerts(std::vector<StoredAlert> alerts);
  void load_notices(std::vector<StoredNotice> notices);
  void book(const BookEntry &entry);
  void enqueue(SinkLane &lane, const BookEntry &entry);
  Result<AlertNotice> read_notice(const QueuedNotice &row) const;
  Result<std::vector<AlertNotice>> notices_of(SinkLane &lane, LaneTask &task);
  StoreChanges unsaved_changes() const;
  void save();
  void mark_saved();
  void note_problem(const std::string &problem);
  void wake_lanes();

  mutable std::mutex mutex_;
  AlertingOptions options_;
  std::string database_;
  AlertBook book_;
  Lanes lanes_;
  std::optional<AlertStore> store_; // absent: there was no space for it
  std::uint64_t next_sequence_ = 1;

  // What the database has yet to be told.
  std::set<std::string> unsaved_; // fingerprints
  std::vector<std::string> forgotten_;
  std::vector<std::uint64_t> done_; // sequences
  std::string problem_;             // of the last attempt
  bool is_stopping_ = false, is_closed_ = false;

  std::condition_variable keeper_;  // for keep()
  std::condition_variable settled_; // a delivery has ended, or a thread
};

} // namespace mapscope
