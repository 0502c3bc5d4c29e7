// What one sink has not acknowledged, in order. Knows numbers and states only: the texts lie in
// the database, or here as long as that can't take them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mapscope {

struct QueuedNotice {
  std::uint64_t sequence = 0; // its row; grows
  std::string fingerprint;
  bool is_firing = true;
  bool is_update = false;                  // while its text is in memory
  std::shared_ptr<const std::string> text; // null: it is in the database
  bool is_stored = false;                  // a row of it is there, maybe an older one
  bool is_under_way = false;
  std::uint32_t refusals = 0;
  std::uint64_t not_before_ns = 0;
};

class AlertQueue {
public:
  // Of each row that leaves the queue without being delivered; it was counted.
  using Dropped = std::function<void(const QueuedNotice &)>;

  // The latest of a fingerprint if it says that it fires and is not under way: a newer text may
  // take the place of its own.
  QueuedNotice *waiting_firing(const std::string &fingerprint);
  QueuedNotice *find(std::uint64_t sequence);

  void push(QueuedNotice notice);
  // Until there are at most so many: the oldest that say "resolved" go first, then the oldest.
  // What is under way stays.
  void limit(std::size_t entries_max, const Dropped &dropped);
  // The same, for those that have their text in memory.
  void limit_texts(std::size_t texts_max, const Dropped &dropped);

  // The first that may be sent now, one for each fingerprint; they are under way from here on.
  // What is behind one of its own fingerprint waits for it.
  std::vector<QueuedNotice> claim(std::size_t count_max, std::uint64_t now_ns);
  void put_back(std::uint64_t sequence);
  void put_back(std::uint64_t sequence, std::uint64_t not_before_ns); // and counts a refusal
  bool remove(std::uint64_t sequence);                                // false: it is not here

  bool has_any_of(const std::string &fingerprint) const { return latest_.contains(fingerprint); }
  // When the next one may be sent; absent: nothing waits.
  std::optional<std::uint64_t> next_time_ns() const;

  std::size_t size() const { return entries_.size(); }
  std::map<std::uint64_t, QueuedNotice> &entries() { return entries_; }

private:
  void drop_one(bool with_text, const Dropped &dropped);
  void erase(std::map<std::uint64_t, QueuedNotice>::iterator entry);

  std::map<std::uint64_t, QueuedNotice> entries_;
  std::unordered_map<std::string, std::uint64_t> latest_; // sequence, by fingerprint
};

} // namespace mapscope
