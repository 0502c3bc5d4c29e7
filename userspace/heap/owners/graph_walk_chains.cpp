// Whether what the walk came by still leads to where it led. An object that was freed meanwhile,
// and became another of the same shape, looks right; but then nothing leads to it any more.
#include <algorithm>
#include <unordered_map>

#include "heap/bulk_read.h"
#include "heap/owners/graph_walk_state.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kGapBytes = 2048;
constexpr std::size_t kRangesAtOnce = 1 << 14;
// Of long lists, the words next to the maps; each level costs a read.
constexpr unsigned kLevelsMax = 256;
constexpr std::uint32_t kNoLink = 0xffffffff;

// An object, the word that led to it, and the object that this word is in.
struct Link {
  std::uint64_t start = 0, size_bytes = 0;
  std::uint64_t word = 0;
  std::uint32_t parent = kNoLink;
  bool holds = true;
  bool is_settled = false; // what holds of its parents is in `holds`
};

// Gives each link what is true of all that lead to it.
void settle(std::vector<Link> &links) {
  std::vector<std::uint32_t> path;
  for (std::uint32_t first = 0; first < links.size(); ++first) {
    path.clear();
    std::uint32_t at = first;
    // Types that came later than others can make a ring, which is as good as its words.
    while (at != kNoLink && !links[at].is_settled) {
      links[at].is_settled = true;
      path.push_back(at);
      at = links[at].parent;
    }
    bool holds = at == kNoLink || links[at].holds;
    for (; !path.empty(); path.pop_back()) {
      holds = holds && links[path.back()].holds;
      links[path.back()].holds = holds;
    }
  }
}

} // namespace

Result<std::vector<bool>> GraphWalk::State::still_hold(std::span<const std::uint64_t> words) {
  std::vector<Link> links;
  std::unordered_map<std::uint32_t, std::uint32_t> numbers; // of links, by slot
  auto link_of = [&](std::uint64_t word) {
    SlotRef slot;
    if (slots.find(word, slot) != SlotTable::Place::slot || slots.state(slot) == SlotState::unseen)
      return kNoLink;
    const auto [known, is_new] =
        numbers.try_emplace(slot.index, static_cast<std::uint32_t>(links.size()));
    if (is_new) {
      const HeapObject object = slots.object(slot);
      links.push_back({object.start, object.size_bytes, slots.word(slot)});
    }
    return known->second;
  };
  std::vector<std::uint32_t> first(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    first[i] = words[i] == 0 ? kNoLink : link_of(words[i]);

  // From the maps up, since what is above has to hold after what is below.
  std::vector<std::uint32_t> level(links.size());
  for (std::uint32_t i = 0; i < level.size(); ++i)
    level[i] = i;
  for (unsigned count = 0; !level.empty() && count < kLevelsMax; ++count) {
    // Stacks change all the time, and say nothing of types.
    std::erase_if(level, [&](std::uint32_t link) {
      SlotRef slot;
      const std::uint64_t word = links[link].word;
      return word == 0 ||
             (slots.find(word, slot) != SlotTable::Place::slot && data_range(word) == nullptr);
    });
    std::ranges::sort(level, {}, [&](std::uint32_t link) { return links[link].word; });
    for (std::span<const std::uint32_t> left = level; !left.empty();) {
      const auto some = left.first(std::min(kRangesAtOnce, left.size()));
      left = left.subspan(some.size());
      ranges_.clear();
      for (const std::uint32_t link : some)
        ranges_.push_back({links[link].word, sizeof(std::uint64_t)});
      TRY(read_sorted(space_, ranges_, kGapBytes,
                      [&](std::size_t index, std::span<const std::byte> bytes) {
                        Link &link = links[some[index]];
                        link.holds = bytes.size() == sizeof(std::uint64_t) &&
                                     load<std::uint64_t>(bytes, 0) - link.start < link.size_bytes;
                      }));
    }
    const std::size_t known = links.size();
    for (const std::uint32_t link : level) {
      const std::uint32_t parent = link_of(links[link].word);
      links[link].parent = parent;
    }
    level.resize(links.size() - known);
    for (std::uint32_t i = 0; i < level.size(); ++i)
      level[i] = static_cast<std::uint32_t>(known) + i;
  }
  settle(links);
  std::vector<bool> held(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    held[i] = first[i] == kNoLink || links[first[i]].holds;
  return held;
}

} // namespace mapscope
