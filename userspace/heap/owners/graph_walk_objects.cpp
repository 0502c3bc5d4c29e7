// Whether what lies there is what the word said: the heap knows itself what its objects are, and a
// word may be older than the object. What does not agree is left out.
#include <algorithm>
#include <bit>

#include "heap/bulk_read.h"
#include "heap/owners/graph_walk_state.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kBitmapWords = 64; // of an object of up to 512 bytes
constexpr std::size_t kRegionsMax = 1 << 20;

// `count` times `mask`, which is `words` long each time; fits into 64 bits.
std::uint64_t repeated(std::uint64_t mask, std::uint64_t words, std::uint64_t count) {
  std::uint64_t all = 0;
  for (std::uint64_t i = 0; i < count && i * words < kBitmapWords; ++i)
    all |= mask << i * words;
  return all;
}

std::uint64_t ones(std::uint64_t count) {
  return count >= kBitmapWords ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

bool are_alike(const TypePlan &left, const TypePlan &right) {
  return left.size_bytes == right.size_bytes &&
         std::ranges::equal(left.actions, right.actions,
                            [](const WordAction &one, const WordAction &other) {
                              return one.offset == other.offset && one.kind == other.kind;
                            });
}

} // namespace

std::uint32_t GraphWalk::State::pattern_of(const Step &step, std::uint64_t target_type) {
  if (step.kind == StepKind::root)
    return step.parent;
  // Neighbours mostly are of one kind, and the tree of patterns takes longer to ask.
  std::uint64_t hash = (std::uint64_t{step.parent} << 32 | step.offset) * 0x9e3779b97f4a7c15;
  hash ^= (std::uint64_t{step.holder} + target_type) * 0xc2b2ae3d27d4eb4f;
  ChildMemory &memory = children_[hash >> 32 & (children_.size() - 1)];
  if (memory.kind != step.kind || memory.parent != step.parent || memory.holder != step.holder ||
      memory.offset != step.offset || memory.target != target_type)
    memory = {.target = target_type,
              .parent = step.parent,
              .holder = step.holder,
              .offset = step.offset,
              .child = patterns_.child(step.parent, step.kind, plans_[step.holder].type,
                                       step.offset, target_type),
              .kind = step.kind};
  return std::min(memory.child, SlotTable::kPatternMax);
}

void GraphWalk::State::mark(const SlotRef &slot, SlotState state, std::uint32_t pattern,
                            const Step &step) {
  // A root that lies in the heap was reached by another word, if at all.
  const bool keeps_word = slots.state(slot) != SlotState::unseen &&
                          (step.word == 0 || slots.leads_back(slot, step.word));
  slots.set(slot, state, pattern, keeps_word ? slots.word(slot) : step.word);
}

bool GraphWalk::State::claim_region(std::uint64_t address, std::uint32_t plan,
                                    std::uint64_t count) {
  // Both are unique: addresses have 47 bits, and plans are fewer than 2^18.
  const std::uint64_t key = address / 8 | std::uint64_t{plan} << 44;
  if (regions_.size() >= kRegionsMax && !regions_.contains(key))
    return false;
  std::uint32_t &known = regions_[key];
  if (known >= count)
    return false;
  known = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, ~std::uint32_t{0}));
  return true;
}

// Whether the item lies in the object as its type says. Tells how many values do, and whether the
// collector follows nothing else in the object.
bool GraphWalk::State::fits(const WalkItem &item, const HeapObject &object,
                            std::optional<std::uint64_t> bits, std::uint64_t &count,
                            bool &is_whole) const {
  const TypePlan &plan = plans_[item.plan];
  const std::uint64_t offset = item.address - object.data();
  if (!plan.is_valid || plan.size_bytes == 0 || item.address < object.data() || offset % 8 != 0 ||
      offset >= object.data_bytes())
    return false;
  count = std::min<std::uint64_t>(item.count, (object.data_bytes() - offset) / plan.size_bytes);
  if (count == 0)
    return false;
  if (!bits) {
    is_whole = offset == 0 && heap_bytes(count * plan.size_bytes, true,
                                         layout_.has_malloc_headers()) == object.size_bytes;
    return true;
  }
  const std::uint64_t words = plan.size_bytes / 8;
  const std::uint64_t region = ones(count * words) << offset / 8;
  is_whole = (*bits & ~region) == 0;
  return (*bits & region) == repeated(plan.pointer_mask, words, count) << offset / 8;
}

Result<> GraphWalk::State::take_object(const Target &target, std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  const TypePlan &plan = plans_[item.plan];
  const SlotState state = slots.state(target.slot);
  const bool is_weak = item.plan == TypePlans::kUntyped || plan.is_shape;
  if (state == SlotState::whole || (is_weak && state != SlotState::unseen))
    return {}; // another item of this round was there
  if (bytes.size() != target.object.size_bytes) {
    ++counts.words_refused;
    return {};
  }
  switch (plan.role) {
  case PlanRole::map_header:
  case PlanRole::directory:
  case PlanRole::table:
    return take_map_part(target, bytes);
  case PlanRole::channel:
    return take_channel(target, bytes);
  case PlanRole::value:
  case PlanRole::pointer_to:
  case PlanRole::slice_of:
  case PlanRole::closure:
    break;
  }
  if (target.object.has_malloc_header)
    return take_headed(target, load<std::uint64_t>(bytes, 0), bytes.subspan(kMallocHeaderBytes));
  if (target.object.size_bytes > kHeaderlessBytesMax)
    return take_long(target, bytes);
  const auto bits = bits_.of(target.object);
  if (item.plan == TypePlans::kUntyped || plan.role == PlanRole::closure)
    return take_by_bits(target, bits, bytes);
  return take_typed(target, bits, bytes);
}

// The heap says of the object what its type is, whatever led there. `bytes`: of its data; empty: it
// is large, and read in pieces.
Result<> GraphWalk::State::take_headed(const Target &target, std::uint64_t type,
                                       std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  std::uint32_t number = TRY(plans_.number_of(type));
  if (plans_[number].is_valid && plans_[number].element != TypePlans::kUntyped)
    number = plans_[number].element;
  const TypePlan &claimed = plans_[item.plan];
  if (claimed.is_valid && claimed.role == PlanRole::value && plans_[number].is_shape &&
      !claimed.is_shape && are_alike(claimed, plans_[number]) &&
      (item.address - target.object.data()) % claimed.size_bytes == 0)
    number = item.plan;
  const TypePlan &plan = plans_[number];
  if (!plan.is_valid || plan.size_bytes == 0 || plan.size_bytes > target.object.data_bytes() ||
      (plan.is_shape && slots.state(target.slot) != SlotState::unseen)) {
    ++counts.words_refused;
    return {};
  }
  const std::uint64_t size = target.object.data_bytes() / plan.size_bytes * plan.size_bytes;
  Step step = item.step;
  if (claimed.role == PlanRole::closure)
    step = TRY(through_closure(step, bytes.empty() ? 0 : load<std::uint64_t>(bytes, 0)));
  const Values values{target.object.data(), number, pattern_of(step, plan.type)};
  mark(target.slot, plan.is_shape ? SlotState::weak : SlotState::whole, values.pattern, step);
  ++counts.objects_typed;
  counts.bytes_scanned += size;
  return bytes.empty() ? read_pieces(values, size)
                       : follow_values(values, 0, size, bytes.first(size));
}

Result<> GraphWalk::State::take_typed(const Target &target, std::optional<std::uint64_t> bits,
                                      std::span<const std::byte> bytes) {
  std::uint64_t count = 0;
  bool is_whole = false;
  if (fits(target.item, target.object, bits, count, is_whole))
    return follow_typed(target, count, is_whole, bytes);
  refuse(target);
  return {};
}

// `count` values that the object has been found to hold. `bytes`: of its slot; empty: it is large.
Result<> GraphWalk::State::follow_typed(const Target &target, std::uint64_t count, bool is_whole,
                                        std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  const TypePlan &plan = plans_[item.plan];
  const std::uint32_t pattern = pattern_of(item.step, plan.type);
  if (is_whole)
    mark(target.slot, plan.is_shape ? SlotState::weak : SlotState::whole, pattern, item.step);
  else if (!claim_region(item.address, item.plan, count))
    return {};
  else if (slots.state(target.slot) != SlotState::partial) {
    leave_rest({target.object.start, item.step.word, pattern});
    mark(target.slot, plan.is_shape ? SlotState::weak : SlotState::partial, pattern, item.step);
  }
  ++counts.objects_typed;
  const std::uint64_t size = count * plan.size_bytes;
  counts.bytes_scanned += size;
  const Values values{item.address, item.plan, pattern};
  return bytes.empty() ? read_pieces(values, size)
                       : follow_values(values, 0, size,
                                       bytes.subspan(item.address - target.object.start, size));
}

// An object above 512 bytes of Go until 1.21, which has no type, but bits of all its words.
Result<> GraphWalk::State::take_long(const Target &target, std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  const auto words = TRY(bits_.words(target.object));
  std::uint64_t count = 0;
  bool is_whole = false;
  if (!words) {
    ++counts.words_refused;
    return {};
  }
  if (plans_[item.plan].role == PlanRole::value && item.plan != TypePlans::kUntyped) {
    if (fits(item, target.object, std::nullopt, count, is_whole) &&
        agrees(item, target.object, count, *words, is_whole))
      return follow_typed(target, count, is_whole, bytes);
    refuse(target);
    return {};
  }
  if (slots.state(target.slot) != SlotState::unseen)
    return {};
  const std::uint32_t pattern = pattern_of(item.step, 0);
  mark(target.slot, SlotState::weak, pattern, item.step);
  ++counts.objects_untyped;
  counts.bytes_scanned += target.object.size_bytes;
  return follow_long(target.object, pattern, *words, bytes);
}

// As fits(): the pointers of these values, and no others, are what the collector follows.
bool GraphWalk::State::agrees(const WalkItem &item, const HeapObject &object, std::uint64_t count,
                              const std::vector<bool> &words, bool &is_whole) const {
  const TypePlan &plan = plans_[item.plan];
  const std::uint64_t first = (item.address - object.start) / 8, size = plan.size_bytes / 8;
  for (std::uint64_t value = 0; value < count; ++value)
    for (const WordAction &action : plan.actions) {
      const bool is_interface =
          action.kind == WordKind::interface || action.kind == WordKind::empty_interface;
      if (!words[first + value * size + action.offset / 8 + (is_interface ? 1 : 0)])
        return false;
    }
  const auto begin = words.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(count * size);
  is_whole = std::find(words.begin(), begin, true) == begin &&
             std::find(end, words.end(), true) == words.end();
  return true;
}

Result<> GraphWalk::State::follow_long(const HeapObject &object, std::uint32_t pattern,
                                       const std::vector<bool> &words,
                                       std::span<const std::byte> bytes) {
  constexpr std::uint64_t kPieceBytes = 1 << 16;
  std::vector<std::byte> buffer;
  Step step{.parent = pattern, .kind = StepKind::word};
  for (std::uint64_t done = 0; done < object.size_bytes && !is_spent(); done += kPieceBytes) {
    auto piece = bytes;
    if (bytes.empty()) {
      buffer.resize(std::min(kPieceBytes, object.size_bytes - done));
      MemoryRead read{{object.start + done}, buffer};
      TRY(space_.read({&read, 1}));
      if (!read.is_read)
        continue;
      counts.bytes_read += buffer.size();
      piece = buffer;
    }
    for (std::uint64_t at = 0; at + 8 <= piece.size(); at += 8) {
      const std::uint64_t word = (done + at) / 8;
      if (!words[word])
        continue;
      step.word = object.start + done + at;
      const bool has_before = at != 0 && !words[word - 1];
      TRY(follow_untyped(load<std::uint64_t>(piece, at),
                         has_before ? load<std::uint64_t>(piece, at - 8) : 0, step));
    }
  }
  return {};
}

// From a func value to what the closure holds. `entry`: of its function.
Result<Step> GraphWalk::State::through_closure(const Step &step, std::uint64_t entry) {
  return Step{.word = step.word,
              .parent = pattern_of(step, 0),
              .holder = TRY(plans_.number_of(entry, PlanRole::closure)),
              .kind = StepKind::captured};
}

// An object of no known type, of which the heap says which words are pointers; or one whose first
// word tells what it is, as that of a closure does.
Result<> GraphWalk::State::take_by_bits(const Target &target, std::optional<std::uint64_t> bits,
                                        std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  const bool is_func = plans_[item.plan].role == PlanRole::closure;
  Step step = item.step;
  if (bytes.empty())
    return {};
  if (is_func)
    step = TRY(through_closure(step, load<std::uint64_t>(bytes, 0)));
  if (const auto type =
          !bits || (*bits & 1) == 0 ? types_.closure_type(load<std::uint64_t>(bytes, 0)) : 0;
      type != 0 && (!is_func || item.address == target.object.data())) {
    // A func variable whose type was not linked is a word without type.
    if (!is_func)
      step = TRY(through_closure(step, load<std::uint64_t>(bytes, 0)));
    Target closure = target;
    closure.item = {target.object.data(), step, TRY(plans_.number_of(type)), 1};
    std::uint64_t count = 0;
    bool is_whole = false;
    if (fits(closure.item, target.object, bits, count, is_whole) && is_whole)
      return take_typed(closure, bits, bytes);
    if (!is_func)
      step = item.step;
  }
  if (!bits || slots.state(target.slot) != SlotState::unseen)
    return {};
  const std::uint32_t pattern = pattern_of(step, 0);
  mark(target.slot, SlotState::weak, pattern, step);
  ++counts.objects_untyped;
  counts.bytes_scanned += bytes.size();
  return follow_bits(target.object.start, pattern, *bits, bytes);
}

Result<> GraphWalk::State::follow_bits(std::uint64_t address, std::uint32_t pattern,
                                       std::uint64_t bits, std::span<const std::byte> bytes) {
  Step step{.parent = pattern, .kind = StepKind::word};
  for (std::uint64_t left = bits; left != 0; left &= left - 1) {
    const auto word = static_cast<std::uint64_t>(std::countr_zero(left));
    if (word * 8 + 8 > bytes.size())
      break;
    const bool has_before = word != 0 && (bits >> (word - 1) & 1) == 0;
    step.word = address + word * 8;
    TRY(follow_untyped(load<std::uint64_t>(bytes, word * 8),
                       has_before ? load<std::uint64_t>(bytes, word * 8 - 8) : 0, step));
  }
  return {};
}

// A value among the program's variables, or of a root.
Result<> GraphWalk::State::take_data(const Target &target, std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  const TypePlan &plan = plans_[item.plan];
  const bool is_header = plan.role == PlanRole::map_header;
  if (target.size_bytes == 0 || (!is_header && plan.role != PlanRole::value) ||
      !claim_region(item.address, item.plan, item.count))
    return {};
  const Values values{item.address, item.plan, pattern_of(item.step, plan.type)};
  if (target.size_bytes > kSmallBytesMax)
    return read_pieces(values, target.size_bytes);
  if (bytes.size() != target.size_bytes)
    return {};
  return is_header ? follow_map_part(values, 0, bytes)
                   : follow_values(values, 0, target.size_bytes, bytes);
}

// Of an object of one large span, or 0: its type is not known.
Result<std::uint64_t> GraphWalk::State::large_type(std::uint32_t span) {
  if (!layout_.span.large_type)
    return 0;
  const auto [known, is_new] = large_types_.try_emplace(span, 0);
  if (!is_new)
    return known->second;
  std::vector<std::byte> bytes(layout_.span.size);
  MemoryRead read{{spans_.mspan(span)}, bytes};
  TRY(space_.read({&read, 1}));
  const auto fields = SpanFields::parse(bytes, spans_.mspan(span), layout_.span);
  if (read.is_read && fields.is_in_use() && fields.start == spans_.start(span) &&
      fields.span_class == spans_.span_class(span))
    known->second = fields.large_type;
  return known->second;
}

Result<> GraphWalk::State::take_large(const Target &target) {
  const WalkItem &item = target.item;
  const TypePlan &plan = plans_[item.plan];
  const SlotState state = slots.state(target.slot);
  const bool is_weak = item.plan == TypePlans::kUntyped || plan.is_shape;
  if (state == SlotState::whole || (is_weak && state != SlotState::unseen))
    return {};
  if (plan.role == PlanRole::directory)
    return take_map_part(target, {});
  if (const std::uint64_t type = TRY(large_type(target.slot.span)); type != 0)
    return take_headed(target, type, {});
  if (!layout_.has_malloc_headers())
    return take_long(target, {});
  ++counts.words_refused;
  return {};
}

// What is too large to be read at once.
Result<> GraphWalk::State::read_pieces(const Values &values, std::uint64_t size_bytes,
                                       std::uint64_t first_byte) {
  constexpr std::uint64_t kPieceBytes = 1 << 16;
  constexpr std::uint64_t kWidestBytes = 24; // of a word and what belongs to it: a slice
  const bool is_map_part = plans_[values.plan].role != PlanRole::value;
  std::vector<std::byte> buffer;
  for (std::uint64_t done = first_byte; done < size_bytes && !is_spent(); done += kPieceBytes) {
    if (done != first_byte && is_crowded()) {
      pieces_.push_back({values, size_bytes, done});
      break;
    }
    const std::uint64_t size =
        std::min(kPieceBytes + (is_map_part ? 0 : kWidestBytes), size_bytes - done);
    buffer.resize(size);
    MemoryRead read{{values.address + done}, buffer};
    TRY(space_.read({&read, 1}));
    if (!read.is_read)
      continue;
    counts.bytes_read += size;
    TRY(is_map_part ? follow_map_part(values, done, buffer)
                    : follow_values(values, done, size_bytes, buffer));
  }
  return {};
}

} // namespace mapscope
