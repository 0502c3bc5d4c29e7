// From the words of a value to what they point to. Nothing is read here: what is worth a look goes
// into the next round.
#include <algorithm>
#include <bit>

#include "base/user_space.h"
#include "heap/bulk_read.h"
#include "heap/owners/graph_walk_state.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kWordBytes = 8;

std::uint64_t width_of(WordKind kind) {
  switch (kind) {
  case WordKind::slice:
    return 24;
  case WordKind::interface:
  case WordKind::empty_interface:
    return 16;
  default:
    return 8;
  }
}

} // namespace

Result<> GraphWalk::State::follow_values(const Values &values, std::uint64_t first_byte,
                                         std::uint64_t size_bytes,
                                         std::span<const std::byte> bytes) {
  TypePlan &plan = plans_[values.plan];
  if (plan.size_bytes == 0)
    return {};
  Step step{.parent = values.pattern, .holder = values.plan, .kind = StepKind::field};
  std::uint64_t value = first_byte / plan.size_bytes * plan.size_bytes; // offset of one
  for (; value < size_bytes && value < first_byte + bytes.size(); value += plan.size_bytes) {
    auto action = plan.actions.begin();
    if (value < first_byte)
      action =
          std::ranges::lower_bound(plan.actions, first_byte - value, {},
                                   [](const WordAction &one) { return std::uint64_t{one.offset}; });
    Dictionary dictionary;
    if (plan.dictionary_words != 0 && value >= first_byte &&
        value - first_byte + plan.dictionary_offset + kWordBytes <= bytes.size())
      dictionary = {load<std::uint64_t>(bytes, value - first_byte + plan.dictionary_offset),
                    plan.dictionary_words};
    for (; action != plan.actions.end(); ++action) {
      const std::uint64_t at = value + action->offset - first_byte;
      if (at > bytes.size() || width_of(action->kind) > bytes.size() - at)
        break;
      step.word = values.address + value + action->offset;
      step.offset = action->pattern_offset;
      TRY(follow_action(*action, bytes, at, step, dictionary));
    }
  }
  return {};
}

Result<> GraphWalk::State::follow_action(WordAction &action, std::span<const std::byte> bytes,
                                         std::size_t at, const Step &step,
                                         const Dictionary &dictionary) {
  const auto word = load<std::uint64_t>(bytes, at);
  if (word == 0)
    return {};
  switch (action.kind) {
  case WordKind::interface:
  case WordKind::empty_interface: {
    Step data = step; // the pointer is the second word
    data.word += kWordBytes;
    return follow_interface(word, load<std::uint64_t>(bytes, at + kWordBytes),
                            action.kind == WordKind::empty_interface, data);
  }
  case WordKind::slice: {
    const auto len = load<std::uint64_t>(bytes, at + kWordBytes);
    const auto cap = load<std::uint64_t>(bytes, at + 2 * kWordBytes);
    if (len <= cap)
      push(word, TRY(plans_.target_of(action)), cap, step);
    return {};
  }
  default:
    return follow_word(action, word, step, dictionary);
  }
}

Result<> GraphWalk::State::follow_word(WordAction &action, std::uint64_t word, const Step &step,
                                       const Dictionary &dictionary) {
  switch (action.kind) {
  case WordKind::map:
    return follow_map(TRY(plans_.target_of(action)), word, step, dictionary);
  case WordKind::function:
    push(word, TRY(plans_.number_of(0, PlanRole::closure)), 1, step);
    return {};
  case WordKind::unsafe_pointer:
    return follow_untyped(word, 0, step);
  case WordKind::opaque:
    push(word, TypePlans::kUntyped, 1, step);
    return {};
  case WordKind::next_bucket: {
    Step same = step; // its entries are of the same map
    same.kind = StepKind::root;
    push(word, step.holder, 1, same);
    return {};
  }
  default:
    push(word, TRY(plans_.target_of(action)), 1, step);
    return {};
  }
}

Result<> GraphWalk::State::follow_interface(std::uint64_t type_word, std::uint64_t data_word,
                                            std::optional<bool> is_empty, const Step &step) {
  if (data_word == 0)
    return {};
  const DynamicType dynamic = TRY(types_.of_interface(type_word, is_empty));
  if (dynamic.descriptor == 0)
    return {};
  Step through = step;
  through.kind = StepKind::interface;
  const std::uint32_t number = TRY(plans_.number_of(dynamic.descriptor));
  TypePlan &plan = plans_[number];
  if (!dynamic.is_direct) {
    push(data_word, number, 1, through);
    return {};
  }
  // The data word is the value itself: one pointer of whatever kind.
  if (plan.is_valid && plan.size_bytes == kWordBytes && plan.actions.size() == 1) {
    if (plan.actions.front().kind == WordKind::pointer)
      through.offset |= OwnerPatterns::kPointerInInterface;
    return follow_word(plan.actions.front(), data_word, through, {});
  }
  return {};
}

Result<> GraphWalk::State::follow_untyped(std::uint64_t word, std::uint64_t before,
                                          const Step &step) {
  if (word == 0)
    return {};
  SlotRef slot;
  // What stands in front of it may be the type of an interface: no object of the heap, but of no
  // use otherwise.
  if (before >= 4096 && is_in_user_space(before) && before % 8 == 0 &&
      slots.find(before, slot) == SlotTable::Place::nowhere) {
    const DynamicType dynamic = TRY(types_.of_interface(before, std::nullopt));
    if (dynamic.descriptor != 0)
      return follow_interface(before, word, std::nullopt, step);
  }
  if (slots.find(word, slot) != SlotTable::Place::slot)
    return {};
  if (const auto map = slots.map_at(slot, word)) {
    std::uint32_t pattern = 0;
    witness(*map, TypePlans::kUntyped, step, pattern);
  }
  push(word, TypePlans::kUntyped, 1, step);
  return {};
}

// The range of the program's variables that an address lies in; null: in none.
const ProcessRange *GraphWalk::State::data_range(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(
      data_, address, {}, [](const ProcessRange &range) { return range.start.value; });
  return after != data_.begin() && std::prev(after)->contains({address}) ? &*std::prev(after)
                                                                         : nullptr;
}

void GraphWalk::State::push(std::uint64_t target, std::uint32_t plan, std::uint64_t count,
                            const Step &step) {
  ++counts.words_followed;
  if (count == 0)
    return;
  if (plan != TypePlans::kUntyped) {
    const TypePlan &wanted = plans_[plan];
    if (!wanted.is_valid)
      return;
    if (wanted.role == PlanRole::value && wanted.element != TypePlans::kUntyped) {
      // An array too long for a plan of its own.
      if (__builtin_mul_overflow(count, wanted.repeat, &count))
        return;
      plan = wanted.element;
    }
  }
  const auto few = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, ~std::uint32_t{0}));
  SlotRef slot;
  switch (slots.find(target, slot)) {
  case SlotTable::Place::no_pointers:
    counts.words_refused += plan != TypePlans::kUntyped;
    return;
  case SlotTable::Place::nowhere:
    // Untyped words of the program's variables are roots themselves.
    if (plan != TypePlans::kUntyped && (step.is_root() || data_range(target) != nullptr))
      next_.push_back({target, step, plan, few});
    return;
  case SlotTable::Place::slot:
    break;
  }
  const SlotState state = slots.state(slot);
  const bool is_weak = plan == TypePlans::kUntyped || plans_[plan].is_shape;
  if (state == SlotState::whole || (is_weak && state != SlotState::unseen))
    return;
  next_.push_back({target, step, plan, few});
}

} // namespace mapscope
