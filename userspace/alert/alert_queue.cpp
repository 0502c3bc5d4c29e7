// A sink's queue; see alert_queue.h.
#include "alert/alert_queue.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace mapscope {

QueuedNotice *AlertQueue::waiting_firing(const std::string &fingerprint) {
  auto latest = latest_.find(fingerprint);
  if (latest == latest_.end())
    return nullptr;
  QueuedNotice &entry = entries_.at(latest->second);
  return entry.is_firing && !entry.is_under_way ? &entry : nullptr;
}

QueuedNotice *AlertQueue::find(std::uint64_t sequence) {
  auto entry = entries_.find(sequence);
  return entry == entries_.end() ? nullptr : &entry->second;
}

void AlertQueue::push(QueuedNotice notice) {
  std::uint64_t &latest = latest_[notice.fingerprint];
  latest = std::max(latest, notice.sequence);
  const std::uint64_t sequence = notice.sequence;
  entries_.emplace_hint(entries_.end(), sequence, std::move(notice));
}

void AlertQueue::limit(std::size_t entries_max, const Dropped &dropped) {
  for (std::size_t over = entries_.size() - std::min(entries_.size(), entries_max); over > 0;
       --over)
    drop_one(false, dropped);
}

void AlertQueue::limit_texts(std::size_t texts_max, const Dropped &dropped) {
  auto texts = static_cast<std::size_t>(std::ranges::count_if(
      entries_, [](const auto &entry) { return entry.second.text != nullptr; }));
  for (; texts > texts_max; --texts)
    drop_one(true, dropped);
}

void AlertQueue::drop_one(bool with_text, const Dropped &dropped) {
  auto may_go = [with_text](const QueuedNotice &entry) {
    return !entry.is_under_way && (!with_text || entry.text != nullptr);
  };
  auto entry = std::ranges::find_if(
      entries_, [&](const auto &each) { return may_go(each.second) && !each.second.is_firing; });
  if (entry == entries_.end())
    entry = std::ranges::find_if(entries_, [&](const auto &each) { return may_go(each.second); });
  if (entry == entries_.end())
    return; // all are under way
  dropped(entry->second);
  erase(entry);
}

std::vector<QueuedNotice> AlertQueue::claim(std::size_t count_max, std::uint64_t now_ns) {
  std::vector<QueuedNotice> claimed;
  std::unordered_set<std::string_view> seen;
  for (auto &[sequence, entry] : entries_) {
    if (claimed.size() == count_max)
      break;
    if (!seen.insert(entry.fingerprint).second || entry.not_before_ns > now_ns)
      continue;
    const bool is_alone = entry.refusals > 0; // it would spoil it for the others again
    if (is_alone && !claimed.empty())
      continue;
    entry.is_under_way = true;
    claimed.push_back(entry);
    if (is_alone)
      break;
  }
  return claimed;
}

void AlertQueue::put_back(std::uint64_t sequence) {
  if (auto entry = entries_.find(sequence); entry != entries_.end())
    entry->second.is_under_way = false;
}

void AlertQueue::put_back(std::uint64_t sequence, std::uint64_t not_before_ns) {
  auto entry = entries_.find(sequence);
  if (entry == entries_.end())
    return;
  entry->second.is_under_way = false;
  entry->second.not_before_ns = not_before_ns;
  ++entry->second.refusals;
}

bool AlertQueue::remove(std::uint64_t sequence) {
  auto entry = entries_.find(sequence);
  if (entry == entries_.end())
    return false;
  erase(entry);
  return true;
}

void AlertQueue::erase(std::map<std::uint64_t, QueuedNotice>::iterator entry) {
  auto latest = latest_.find(entry->second.fingerprint);
  if (latest != latest_.end() && latest->second == entry->first)
    latest_.erase(latest);
  entries_.erase(entry);
}

std::optional<std::uint64_t> AlertQueue::next_time_ns() const {
  std::optional<std::uint64_t> next;
  std::unordered_set<std::string_view> seen;
  for (const auto &[sequence, entry] : entries_) {
    if (!seen.insert(entry.fingerprint).second)
      continue;
    next = std::min(next.value_or(entry.not_before_ns), entry.not_before_ns);
    if (*next == 0)
      break;
  }
  return next;
}

} // namespace mapscope
