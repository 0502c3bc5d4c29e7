// Every alert that is firing or was of late, and the decision whether people are told: silences and
// the limit per rule. Knows no database and no receiver; time is data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alert/notice.h"
#include "flow/daemon_config.h"

namespace mapscope {

struct AlertClock {
  std::uint64_t mono_ns = 0; // CLOCK_MONOTONIC
  std::uint64_t wall_ns = 0;
};

struct BookedAlert {
  AlertNotice notice;
  std::string boot_id;
  // Receivers were told that it fires, so they will be told that it is over, whatever silences say
  // by then.
  bool is_told = false;
  bool is_limited = false;            // not told, because its rule had too many
  std::uint64_t resolved_mono_ns = 0; // 0: firing
};

enum class AlertChange : std::uint8_t { began, changed, over };

struct BookEntry {
  AlertChange change = AlertChange::began;
  const BookedAlert *alert = nullptr; // valid until the next call; null: there was no room
  bool is_to_tell = false;
  bool is_first_limited = false; // the first that the limit of its rule keeps back, in a while
};

class AlertBook {
public:
  static constexpr std::size_t kAlertsMax = 10'000;
  static constexpr std::uint64_t kHourNs = 3'600'000'000'000;

  AlertBook(std::string host, std::string boot_id);
  void configure(const AlertsConfig &config);

  // From the database, at the start.
  void restore(BookedAlert alert);
  // Those of another boot are over: their processes are gone.
  std::vector<BookEntry> resolve_other_boots(AlertClock now);

  BookEntry take(Finding finding, AlertClock now);
  // Firing ones that no silence covers any more. They are told from here on.
  std::vector<BookEntry> unsilence(AlertClock now);
  // When the next silence ends, on the wall clock.
  std::optional<std::uint64_t> next_silence_end_ns(std::uint64_t now_wall_ns) const;
  // Of those that are over for an hour, and of the oldest that are over where there are too many.
  std::vector<std::string> forget_old(AlertClock now);

  const BookedAlert *find(const std::string &fingerprint) const;
  const std::map<std::string, BookedAlert> &alerts() const { return alerts_; }
  std::uint64_t silenced() const { return silenced_; }
  std::uint64_t rate_limited() const { return rate_limited_; }
  std::uint64_t without_room() const { return without_room_; }

private:
  BookEntry begin(Finding finding, AlertClock now);
  BookEntry change(BookedAlert &alert, Finding finding, AlertClock now);
  BookEntry end(BookedAlert &alert, Finding finding, AlertClock now);
  bool is_silenced(const std::map<std::string, std::string> &labels,
                   std::uint64_t now_wall_ns) const;
  // Decides of one that fires and is not silenced.
  bool tell(BookedAlert &alert, AlertClock now, bool &is_first_limited);

  std::string host_, boot_id_;
  std::vector<Silence> silences_;
  std::map<std::string, std::string> labels_;
  std::uint32_t per_rule_per_hour_ = 60;
  std::map<std::string, BookedAlert> alerts_;
  struct RuleTold {
    std::deque<std::uint64_t> mono_ns; // when new ones were told, within the last hour
    bool is_limited = false;
  };
  std::map<std::string, RuleTold> told_; // by rule
  std::uint64_t silenced_ = 0, rate_limited_ = 0, without_room_ = 0;
};

} // namespace mapscope
