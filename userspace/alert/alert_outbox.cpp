// Alerts between rules, database and sinks; see alert_outbox.h.
#include "alert/alert_outbox.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <spdlog/spdlog.h>

#include "alert/alert_log.h"
#include "base/clock.h"

namespace mapscope {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point; // CLOCK_MONOTONIC

SteadyTime steady_time(std::uint64_t mono_ns) {
  return SteadyTime(std::chrono::nanoseconds(static_cast<std::int64_t>(mono_ns)));
}

AlertClock now() { return {.mono_ns = now_ns(), .wall_ns = now_ns(CLOCK_REALTIME)}; }

void append(std::vector<std::uint64_t> &all, std::vector<std::uint64_t> more) {
  all.insert(all.end(), more.begin(), more.end());
}

Result<AlertOutbox::Lanes> make_lanes(const AlertsConfig &config, const std::string &host) {
  AlertOutbox::Lanes lanes;
  std::set<std::string> names;
  for (const SinkConfig &sink : config.sinks) {
    if (sink.name.empty() || !names.insert(sink.name).second)
      return fail(Errc::usage, "there are two alert sinks \"{}\": each needs a name of its own",
                  sink.name);
    lanes.push_back(std::make_shared<SinkLane>(sink, TRY(make_alert_sink(sink, host))));
  }
  return lanes;
}

} // namespace

AlertOutbox::AlertOutbox(const AlertsConfig &config, AlertingOptions options)
    : options_(std::move(options)), database_(config.database),
      book_(options_.host, options_.boot_id) {
  book_.configure(config);
}

Result<> AlertOutbox::open(const AlertsConfig &config) {
  lanes_ = TRY(make_lanes(config, options_.host));
  std::lock_guard lock(mutex_);
  if (Result<> loaded = load(); !loaded) {
    if (loaded.error().code() != Errc::system)
      return loaded;
    // Its rows, whatever they are, come before those that are made until then.
    next_sequence_ = now().wall_ns / 1000;
    note_problem(loaded.error().message());
  }
  save();
  return {};
}

Result<> AlertOutbox::load() {
  AlertStore store = TRY(AlertStore::open(database_));
  std::vector<StoredAlert> alerts = TRY(store.alerts());
  std::vector<StoredNotice> notices = TRY(store.notices());
  store_ = std::move(store);
  load_alerts(std::move(alerts));
  load_notices(std::move(notices));
  for (const BookEntry &entry : book_.resolve_other_boots(now()))
    book(entry);
  return {};
}

void AlertOutbox::load_alerts(std::vector<StoredAlert> alerts) {
  const AlertClock time = now();
  for (StoredAlert &stored : alerts) {
    Result<AlertNotice> notice = parse_notice(stored.text);
    if (!notice) {
      spdlog::error("Alert {} in {} is dropped: {}.", stored.fingerprint, database_,
                    notice.error().message());
      forgotten_.push_back(stored.fingerprint);
      continue;
    }
    if (book_.find(stored.fingerprint) != nullptr)
      continue; // what was taken since is newer
    BookedAlert booked{.notice = *std::move(notice),
                       .boot_id = std::move(stored.boot_id),
                       .is_told = stored.is_told};
    if (!stored.is_firing) {
      const std::uint64_t over_wall_ns = booked.notice.alert.resolved_wall_ns;
      const std::uint64_t ago = time.wall_ns - std::min(time.wall_ns, over_wall_ns);
      booked.resolved_mono_ns =
          std::max<std::uint64_t>(time.mono_ns - std::min(time.mono_ns, ago), 1);
    }
    book_.restore(std::move(booked));
  }
}

void AlertOutbox::load_notices(std::vector<StoredNotice> notices) {
  std::size_t orphans = 0;
  for (StoredNotice &stored : notices) {
    next_sequence_ = std::max(next_sequence_, stored.sequence + 1);
    auto lane = std::ranges::find(lanes_, stored.sink,
                                  [](const auto &each) { return each->config().name; });
    if (lane == lanes_.end()) {
      done_.push_back(stored.sequence);
      ++orphans;
      continue;
    }
    (*lane)->queue().push({.sequence = stored.sequence,
                           .fingerprint = std::move(stored.fingerprint),
                           .is_firing = stored.is_firing,
                           .is_stored = true});
  }
  if (orphans > 0)
    spdlog::warn("{} undelivered alerts are dropped: their sinks are not configured any more.",
                 orphans);
}

void AlertOutbox::take(std::vector<Finding> findings) {
  std::lock_guard lock(mutex_);
  if (is_closed_)
    return;
  const AlertClock time = now();
  for (Finding &finding : findings)
    book(book_.take(std::move(finding), time));
  for (std::string &fingerprint : book_.forget_old(time)) {
    unsaved_.erase(fingerprint);
    forgotten_.push_back(std::move(fingerprint));
  }
  save();
  wake_lanes();
}

void AlertOutbox::book(const BookEntry &entry) {
  log_alert(entry, options_.to_journal);
  if (entry.alert == nullptr)
    return;
  unsaved_.insert(entry.alert->notice.alert.finding.fingerprint);
  if (entry.is_to_tell)
    for (const std::shared_ptr<SinkLane> &lane : lanes_)
      enqueue(*lane, entry);
}

void AlertOutbox::enqueue(SinkLane &lane, const BookEntry &entry) {
  AlertNotice notice = entry.alert->notice;
  const Finding &finding = notice.alert.finding;
  if (!finding.is_firing && !lane.config().send_resolved)
    return;
  if (entry.change == AlertChange::changed)
    if (QueuedNotice *waiting = lane.queue().waiting_firing(finding.fingerprint)) {
      notice.is_update = waiting->is_update;
      waiting->text = std::make_shared<const std::string>(stored_text(notice));
      return;
    }
  lane.queue().push({.sequence = next_sequence_++,
                     .fingerprint = finding.fingerprint,
                     .is_firing = finding.is_firing,
                     .is_update = notice.is_update,
                     .text = std::make_shared<const std::string>(stored_text(notice))});
  append(done_, lane.limit(std::nullopt));
}

Result<AlertOutbox::Changed> AlertOutbox::reconfigure(const AlertsConfig &config) {
  Lanes wanted = TRY(make_lanes(config, options_.host));
  std::lock_guard lock(mutex_);
  if (config.database != database_)
    return fail(Errc::usage,
                "alerts.database can't change from {} to {} while alerts are kept "
                "there: restart the daemon",
                database_, config.database);
  Changed changed;
  auto named = [](Lanes &lanes, const std::string &name) {
    return std::ranges::find(lanes, name, [](const auto &lane) { return lane->config().name; });
  };
  for (const std::shared_ptr<SinkLane> &lane : lanes_)
    if (auto found = named(wanted, lane->config().name); found != wanted.end()) {
      lane->reconfigure((*found)->config(), (*found)->sink());
      *found = lane; // its queue goes on
    } else {
      changed.removed.push_back(lane);
      for (const auto &[sequence, row] : lane->queue().entries())
        if (row.is_stored)
          done_.push_back(sequence);
      if (lane->queue().size() > 0)
        spdlog::warn("Alert sink \"{}\" is no more; {} undelivered alerts are dropped.",
                     lane->config().name, lane->queue().size());
      lane->is_retired = true; // from this moment: nothing of it is looked for any more
    }
  for (const std::shared_ptr<SinkLane> &lane : wanted)
    if (std::ranges::find(lanes_, lane) == lanes_.end())
      changed.added.push_back(lane);
  lanes_ = std::move(wanted);
  book_.configure(config);
  for (const BookEntry &entry : book_.unsilence(now()))
    book(entry);
  save();
  wake_lanes();
  keeper_.notify_all();
  return changed;
}

Result<AlertNotice> AlertOutbox::read_notice(const QueuedNotice &row) const {
  if (row.text != nullptr)
    return parse_notice(*row.text);
  if (!store_)
    return fail(Errc::system, "there is no database");
  return parse_notice(TRY(store_->text(row.sequence)));
}

// Rows that can't be read, now or ever, leave the task.
Result<std::vector<AlertNotice>> AlertOutbox::notices_of(SinkLane &lane, LaneTask &task) {
  std::vector<AlertNotice> notices;
  std::vector<QueuedNotice> readable;
  for (const QueuedNotice &row : task.rows) {
    Result<AlertNotice> notice = read_notice(row);
    if (!notice && notice.error().code() == Errc::system)
      return std::unexpected(std::move(notice).error());
    if (!notice) {
      append(done_,
             lane.give_up(row.sequence, fmt::format("alert {} can't be read back: {}",
                                                    row.fingerprint, notice.error().message())));
      continue;
    }
    notices.push_back(*std::move(notice));
    readable.push_back(row);
  }
  task.rows = std::move(readable);
  for (const std::string &fingerprint : task.resends) {
    notices.push_back(book_.find(fingerprint)->notice);
    notices.back().is_update = true;
  }
  return notices;
}

void AlertOutbox::deliver(const std::shared_ptr<SinkLane> &lane) {
  std::unique_lock lock(mutex_);
  while (!lane->is_retired) {
    LaneTask task = lane->next(now_ns(), book_);
    if (task.empty()) {
      if (auto time = lane->wake_time_ns())
        lane->wake.wait_until(lock, steady_time(*time));
      else
        lane->wake.wait(lock);
      continue;
    }
    const Result<std::vector<AlertNotice>> notices = notices_of(*lane, task);
    AlertDelivery delivery;
    if (!notices) {
      delivery = {.outcome = DeliveryOutcome::try_later, .problem = notices.error().message()};
    } else if (!notices->empty()) {
      const std::shared_ptr<AlertSink> sink = lane->sink(); // a reload may bring another
      lock.unlock();
      delivery = sink->deliver(*notices);
      lock.lock();
      if (lane->is_abandoned)
        return;
      if (lane->is_retired && delivery.outcome != DeliveryOutcome::accepted)
        break; // cut off; it is still in the database
    }
    std::vector<std::uint64_t> done = lane->settle(task, delivery, now_ns());
    // Rows of a sink that is no more were taken from the database with it.
    if (std::ranges::find(lanes_, lane) != lanes_.end()) {
      append(done_, std::move(done));
      save();
    }
    settled_.notify_all();
  }
  lane->has_ended = true;
  settled_.notify_all();
}

void AlertOutbox::wake_lanes() {
  for (const std::shared_ptr<SinkLane> &lane : lanes_)
    lane->wake.notify_all();
}

bool AlertOutbox::flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return settled_.wait_for(lock, timeout, [this] {
    return std::ranges::all_of(lanes_, [](const auto &lane) { return lane->queue().size() == 0; });
  });
}

std::vector<bool> AlertOutbox::retire(const Lanes &lanes, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kCutOffLasts{500};
  std::unique_lock lock(mutex_);
  for (const std::shared_ptr<SinkLane> &lane : lanes) {
    lane->is_retired = true;
    lane->wake.notify_all();
  }
  auto have_ended = [&lanes] {
    return std::ranges::all_of(lanes, [](const auto &lane) { return lane->has_ended; });
  };
  if (!settled_.wait_for(lock, patience, have_ended)) {
    for (const std::shared_ptr<SinkLane> &lane : lanes)
      lane->sink()->cut_off();
    settled_.wait_for(lock, kCutOffLasts, have_ended);
  }
  std::vector<bool> ended;
  for (const std::shared_ptr<SinkLane> &lane : lanes) {
    lane->is_abandoned = !lane->has_ended;
    ended.push_back(lane->has_ended);
  }
  return ended;
}

std::vector<Finding> AlertOutbox::firing() const {
  std::lock_guard lock(mutex_);
  std::vector<Finding> findings;
  for (const auto &[fingerprint, booked] : book_.alerts())
    if (booked.notice.alert.finding.is_firing)
      findings.push_back(booked.notice.alert.finding);
  return findings;
}

std::vector<Alert> AlertOutbox::alerts() const {
  std::lock_guard lock(mutex_);
  const std::uint64_t time = now_ns();
  std::vector<Alert> alerts;
  for (const auto &[fingerprint, booked] : book_.alerts())
    if (booked.resolved_mono_ns == 0 || booked.resolved_mono_ns + AlertBook::kHourNs > time)
      alerts.push_back(booked.notice.alert);
  std::ranges::stable_sort(alerts, std::greater{}, &Alert::updated_wall_ns);
  return alerts;
}

AlertingFigures AlertOutbox::figures() const {
  std::lock_guard lock(mutex_);
  AlertingFigures figures{.silenced = book_.silenced(),
                          .rate_limited = book_.rate_limited(),
                          .without_room = book_.without_room(),
                          .kept_in_memory = problem_.empty() ? 0 : unsaved_.size(),
                          .database_problem = problem_};
  for (const std::shared_ptr<SinkLane> &lane : lanes_)
    figures.sinks.push_back(lane->figures());
  return figures;
}

bool AlertOutbox::has_ended(const SinkLane &lane) const {
  std::lock_guard lock(mutex_);
  return lane.has_ended;
}

AlertOutbox::Lanes AlertOutbox::lanes() const {
  std::lock_guard lock(mutex_);
  return lanes_;
}

} // namespace mapscope
