// Parts of objects that no type told of, by the bits that the collector follows.
#include <algorithm>
#include <utility>

#include "heap/owners/graph_walk_state.h"

namespace mapscope {
namespace {

constexpr std::size_t kRestMax = 1 << 21;
constexpr std::size_t kBatchObjects = 1 << 13;
constexpr std::uint64_t kGapBytesMax = 1024;

} // namespace

void GraphWalk::State::leave_rest(const Rest &rest) {
  if (rest_.size() < kRestMax)
    rest_.push_back(rest);
  else if (counts.stopped_by.empty())
    counts.stopped_by = "more objects are known in part than the walk may keep in mind";
}

void GraphWalk::State::refuse(const Target &target) {
  ++counts.words_refused;
  if (slots.state(target.slot) == SlotState::unseen)
    leave_rest({target.object.start, target.item.step.word, pattern_of(target.item.step, 0)});
}

Result<> GraphWalk::State::follow_rest() {
  while (!rest_.empty() && !is_spent()) {
    std::vector<Rest> rest = std::exchange(rest_, {});
    std::ranges::stable_sort(rest, {}, &Rest::start);
    const auto repeated = std::ranges::unique(rest, {}, &Rest::start);
    rest.erase(repeated.begin(), repeated.end());
    for (std::size_t done = 0; done < rest.size() && !is_spent(); done += kBatchObjects)
      TRY(take_rest(std::span{rest}.subspan(done, std::min(kBatchObjects, rest.size() - done))));
    TRY(run());
  }
  return {};
}

Result<> GraphWalk::State::take_rest(std::span<const Rest> rest) {
  std::vector<std::pair<HeapObject, std::uint32_t>> objects;
  objects_.clear();
  ranges_.clear();
  for (const Rest &one : rest) {
    SlotRef slot;
    if (slots.find(one.start, slot) != SlotTable::Place::slot ||
        slots.state(slot) == SlotState::whole)
      continue;
    const HeapObject object = slots.object(slot);
    if (slots.state(slot) == SlotState::unseen) {
      slots.set(slot, SlotState::weak, one.pattern, one.word);
      ++counts.objects_untyped;
    }
    if (object.size_bytes > kHeaderlessBytesMax) {
      if (const auto words = TRY(bits_.words(object)))
        TRY(follow_long(object, one.pattern, *words, {}));
      continue;
    }
    objects.emplace_back(object, one.pattern);
    objects_.push_back(object);
    ranges_.push_back({object.start, static_cast<std::uint32_t>(object.size_bytes)});
  }
  TRY(bits_.read(objects_));
  Result<> followed;
  TRY(read_sorted(space_, ranges_, kGapBytesMax,
                  [&](std::size_t index, std::span<const std::byte> bytes) {
                    const auto &[object, pattern] = objects[index];
                    counts.bytes_read += bytes.size();
                    if (const auto bits = bits_.of(object); followed && bits)
                      followed = follow_bits(object.start, pattern, *bits, bytes);
                  }));
  return followed;
}

} // namespace mapscope
