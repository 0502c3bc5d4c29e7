// What fires and whom it is told; see alert_book.h.
#include "alert/alert_book.h"

#include <algorithm>
#include <utility>

#include <fnmatch.h>

namespace mapscope {

namespace {

// The wall clock's time of a monotonic one, as the wall clock stands now. 0 and what is to come are
// now.
std::uint64_t wall_of(std::uint64_t mono_ns, AlertClock now) {
  if (mono_ns == 0 || mono_ns >= now.mono_ns)
    return now.wall_ns;
  return now.wall_ns - std::min(now.wall_ns, now.mono_ns - mono_ns);
}

bool matches(const Silence &silence, const std::map<std::string, std::string> &labels) {
  // One that names nothing would silence all.
  return !silence.match.empty() && std::ranges::all_of(silence.match, [&](const auto &wanted) {
    auto label = labels.find(wanted.first);
    const char *value = label == labels.end() ? "" : label->second.c_str();
    return ::fnmatch(wanted.second.c_str(), value, 0) == 0;
  });
}

} // namespace

AlertBook::AlertBook(std::string host, std::string boot_id)
    : host_(std::move(host)), boot_id_(std::move(boot_id)) {}

void AlertBook::configure(const AlertsConfig &config) {
  silences_ = config.silences;
  labels_ = config.labels;
  per_rule_per_hour_ = config.per_rule_per_hour;
}

void AlertBook::restore(BookedAlert alert) {
  const std::string fingerprint = alert.notice.alert.finding.fingerprint;
  alerts_.insert_or_assign(fingerprint, std::move(alert));
}

std::vector<BookEntry> AlertBook::resolve_other_boots(AlertClock now) {
  std::vector<BookEntry> entries;
  for (auto &[fingerprint, booked] : alerts_) {
    if (booked.boot_id == boot_id_ || !booked.notice.alert.finding.is_firing)
      continue;
    Finding over = booked.notice.alert.finding;
    over.is_firing = false;
    over.resolution = over.bpf_map ? "The host restarted, so the map is gone."
                                   : "The host restarted, so the process is gone.";
    over.time_ns = now.mono_ns;
    over.since_ns = 0; // of the clock of that boot
    booked.boot_id = boot_id_;
    entries.push_back(end(booked, std::move(over), now));
  }
  return entries;
}

BookEntry AlertBook::take(Finding finding, AlertClock now) {
  auto known = alerts_.find(finding.fingerprint);
  const bool is_known = known != alerts_.end();
  const bool fires = is_known && known->second.notice.alert.finding.is_firing;
  if (fires && finding.is_firing)
    return change(known->second, std::move(finding), now);
  if (fires)
    return end(known->second, std::move(finding), now);
  if (finding.is_firing)
    return begin(std::move(finding), now);
  if (is_known) // over already
    return {.change = AlertChange::over, .alert = &known->second};
  // Something that began where this book was not written (a database that was lost). Receivers may
  // have been told, so they are told that it is over.
  finding.is_firing = true;
  BookEntry entry = begin(finding, now);
  if (entry.alert == nullptr)
    return {.change = AlertChange::over};
  BookedAlert &booked = alerts_.at(finding.fingerprint);
  booked.is_told = booked.is_told || booked.is_limited;
  finding.is_firing = false;
  return end(booked, std::move(finding), now);
}

BookEntry AlertBook::begin(Finding finding, AlertClock now) {
  if (alerts_.size() >= kAlertsMax && !alerts_.contains(finding.fingerprint)) {
    ++without_room_;
    return {.change = AlertChange::began};
  }
  const std::string fingerprint = finding.fingerprint;
  BookedAlert booked{.notice = {.alert = {.host = host_,
                                          .since_wall_ns = wall_of(finding.since_ns, now),
                                          .updated_wall_ns = wall_of(finding.time_ns, now)},
                                .labels = alert_labels(finding, host_, labels_)},
                     .boot_id = boot_id_};
  booked.notice.alert.finding = std::move(finding);
  BookedAlert &kept = alerts_.insert_or_assign(fingerprint, std::move(booked)).first->second;
  BookEntry entry{.change = AlertChange::began, .alert = &kept};
  if (is_silenced(kept.notice.labels, now.wall_ns)) {
    kept.notice.alert.is_silenced = true;
    ++silenced_;
  } else {
    entry.is_to_tell = tell(kept, now, entry.is_first_limited);
  }
  return entry;
}

BookEntry AlertBook::change(BookedAlert &booked, Finding finding, AlertClock now) {
  AlertNotice &notice = booked.notice;
  notice.alert.updated_wall_ns =
      std::max(wall_of(finding.time_ns, now), notice.alert.since_wall_ns);
  notice.alert.finding = std::move(finding);
  notice.is_update = true;
  return {.change = AlertChange::changed,
          .alert = &booked,
          .is_to_tell = booked.is_told && !notice.alert.is_silenced};
}

BookEntry AlertBook::end(BookedAlert &booked, Finding finding, AlertClock now) {
  Alert &alert = booked.notice.alert;
  // A clock that was set back in between must not make it end before it began.
  alert.resolved_wall_ns = std::max(wall_of(finding.time_ns, now), alert.since_wall_ns);
  alert.updated_wall_ns = alert.resolved_wall_ns;
  alert.finding = std::move(finding);
  booked.notice.is_update = false;
  booked.resolved_mono_ns = std::max<std::uint64_t>(now.mono_ns, 1);
  return {.change = AlertChange::over, .alert = &booked, .is_to_tell = booked.is_told};
}

bool AlertBook::is_silenced(const std::map<std::string, std::string> &labels,
                            std::uint64_t now_wall_ns) const {
  return std::ranges::any_of(silences_, [&](const Silence &silence) {
    return (!silence.until_wall_ns || *silence.until_wall_ns > now_wall_ns) &&
           matches(silence, labels);
  });
}

bool AlertBook::tell(BookedAlert &booked, AlertClock now, bool &is_first_limited) {
  RuleTold &told = told_[booked.notice.alert.finding.rule];
  while (!told.mono_ns.empty() && told.mono_ns.front() + kHourNs <= now.mono_ns)
    told.mono_ns.pop_front();
  booked.is_limited = told.mono_ns.size() >= per_rule_per_hour_;
  if (booked.is_limited) {
    ++rate_limited_;
    is_first_limited = !std::exchange(told.is_limited, true);
    return false;
  }
  told.is_limited = false;
  told.mono_ns.push_back(now.mono_ns);
  booked.is_told = true;
  return true;
}

std::vector<BookEntry> AlertBook::unsilence(AlertClock now) {
  std::vector<BookEntry> entries;
  for (auto &[fingerprint, booked] : alerts_) {
    Alert &alert = booked.notice.alert;
    if (!alert.finding.is_firing)
      continue;
    const bool is_silent = is_silenced(booked.notice.labels, now.wall_ns);
    if (!std::exchange(alert.is_silenced, is_silent) || is_silent)
      continue;
    BookEntry entry{.change = booked.is_told ? AlertChange::changed : AlertChange::began,
                    .alert = &booked,
                    .is_to_tell = booked.is_told};
    if (!booked.is_told) {
      booked.notice.is_update = false;
      entry.is_to_tell = tell(booked, now, entry.is_first_limited);
    }
    entries.push_back(entry);
  }
  return entries;
}

std::optional<std::uint64_t> AlertBook::next_silence_end_ns(std::uint64_t now_wall_ns) const {
  std::optional<std::uint64_t> next;
  for (const Silence &silence : silences_)
    if (silence.until_wall_ns && *silence.until_wall_ns > now_wall_ns)
      next = std::min(next.value_or(*silence.until_wall_ns), *silence.until_wall_ns);
  return next;
}

std::vector<std::string> AlertBook::forget_old(AlertClock now) {
  std::vector<std::pair<std::uint64_t, std::string>> over; // oldest first
  for (const auto &[fingerprint, booked] : alerts_)
    if (booked.resolved_mono_ns != 0)
      over.emplace_back(booked.resolved_mono_ns, fingerprint);
  std::ranges::sort(over);
  // A tenth of the room stays for what begins.
  constexpr std::size_t kKept = kAlertsMax - kAlertsMax / 10;
  std::vector<std::string> forgotten;
  for (auto &[resolved_ns, fingerprint] : over) {
    if (resolved_ns + kHourNs > now.mono_ns && alerts_.size() <= kKept)
      break;
    alerts_.erase(fingerprint);
    forgotten.push_back(std::move(fingerprint));
  }
  // Rules come and go with reloads.
  std::erase_if(told_, [&](const auto &told) {
    return told.second.mono_ns.empty() || told.second.mono_ns.back() + kHourNs <= now.mono_ns;
  });
  return forgotten;
}

const BookedAlert *AlertBook::find(const std::string &fingerprint) const {
  auto found = alerts_.find(fingerprint);
  return found == alerts_.end() ? nullptr : &found->second;
}

} // namespace mapscope
