// Maps and channels: what words of these kinds lead to is laid out by the runtime, and what belongs
// to the program hangs on it.
//
// Go source: internal/runtime/maps/map.go, table.go (1.24 on); runtime/map.go (until 1.23);
// runtime/chan.go.
#include <bit>

#include "heap/bulk_read.h"
#include "heap/owners/graph_walk_state.h"

namespace mapscope {
namespace {

constexpr std::size_t kOtherTypesMax = 1 << 20;
constexpr std::uint64_t kTableGroupsMax = 128; // maxTableCapacity / 8
constexpr std::uint64_t kDirectoryMax = std::uint64_t{1} << 30;

} // namespace

void GraphWalk::State::witness(std::uint32_t map, std::uint32_t header_plan, const Step &step,
                               std::uint32_t &pattern) {
  MapWitness &known = witnesses[map];
  if (header_plan == TypePlans::kUntyped) {
    if (known.word == 0)
      known = {step.word, 0, pattern_of(step, 0), turn_};
    return;
  }
  const TypePlan &plan = plans_[header_plan];
  // Generic code treats several types as one; what the others say is the type.
  if (known.type == 0 || (!plan.is_shape && types_.is_shape(known.type))) {
    pattern = pattern_of(step, plan.type);
    // Roots that come later may say what it is, but not whose.
    if (known.word != 0 && known.turn != turn_ &&
        &patterns_.root_of(known.pattern) != &patterns_.root_of(pattern))
      pattern = known.pattern;
    known = {step.word, plan.type, pattern, turn_};
  } else if (known.type != plan.type && !plan.is_shape && other_types.size() < kOtherTypesMax &&
             said_.emplace(map, plan.type).second) {
    other_types.emplace_back(map, plan.type);
  }
}

// The plan for the type that stands behind one of generic code, if its dictionary tells.
Result<std::uint32_t> GraphWalk::State::real_map_plan(std::uint32_t header_plan,
                                                      const Dictionary &dictionary) {
  const TypePlan &shape = plans_[header_plan];
  if (!shape.is_shape || dictionary.address == 0)
    return header_plan;
  const std::uint64_t real =
      TRY(types_.map_type_in_dictionary(dictionary.address, dictionary.words, shape.type));
  if (real == 0)
    return header_plan;
  const std::uint32_t plan = TRY(plans_.number_of(real, PlanRole::map_header));
  return plans_[plan].is_valid ? plan : header_plan;
}

Result<> GraphWalk::State::follow_map(std::uint32_t header_plan, std::uint64_t word,
                                      const Step &step, const Dictionary &dictionary) {
  if (!plans_[header_plan].is_valid)
    return {};
  header_plan = TRY(real_map_plan(header_plan, dictionary));
  SlotRef slot;
  if (slots.find(word, slot) != SlotTable::Place::slot) {
    push(word, header_plan, 1, step); // a header among the program's variables
    return {};
  }
  const auto map = slots.map_at(slot, word);
  if (!map) {
    ++counts.words_refused;
    push(word, TypePlans::kUntyped, 1, step); // a map that the census has not seen
    return {};
  }
  std::uint32_t pattern = OwnerPatterns::kNone;
  witness(*map, header_plan, step, pattern);
  if (pattern == OwnerPatterns::kNone)
    return {};
  Step known = step;
  known.parent = pattern;
  known.kind = StepKind::root;
  if (plans_[header_plan].element != TypePlans::kUntyped) {
    push(word, header_plan, 1, known);
    return {};
  }
  // Entries without pointers are an end.
  ++counts.words_followed;
  mark(slot, plans_[header_plan].is_shape ? SlotState::weak : SlotState::whole, pattern, known);
  return {};
}

Result<> GraphWalk::State::take_map_part(const Target &target, std::span<const std::byte> bytes) {
  const WalkItem &item = target.item;
  const TypePlan &plan = plans_[item.plan];
  const std::uint64_t data_bytes = target.object.data_bytes();
  const std::uint64_t wanted = plan.role == PlanRole::map_header ? layout_.header_size
                               : plan.role == PlanRole::table    ? layout_.swiss.table_size
                                                                 : std::uint64_t{item.count} * 8;
  if (item.address != target.object.data() || wanted > data_bytes ||
      heap_bytes(wanted, true, layout_.has_malloc_headers()) != target.object.size_bytes) {
    refuse(target);
    return {};
  }
  const std::uint32_t pattern = pattern_of(item.step, plan.type);
  mark(target.slot, plan.is_shape ? SlotState::weak : SlotState::whole, pattern, item.step);
  ++counts.objects_typed;
  counts.bytes_scanned += wanted;
  const Values part{item.address, item.plan, pattern};
  if (target.object.size_bytes > kSmallBytesMax) // a large directory
    return read_pieces(part, wanted);
  return follow_map_part(part, 0, bytes.subspan(item.address - target.object.start, wanted));
}

// `bytes`: of the part from `first_byte` on; all of it unless it is a directory.
Result<> GraphWalk::State::follow_map_part(const Values &part, std::uint64_t first_byte,
                                           std::span<const std::byte> bytes) {
  const TypePlan &plan = plans_[part.plan];
  const Step known{.parent = part.pattern, .holder = part.plan, .kind = StepKind::root};
  if (plan.role == PlanRole::map_header)
    return follow_header(part, bytes);
  if (plan.role == PlanRole::table) {
    Step entries = known;
    entries.kind = StepKind::entries;
    entries.word = part.address + layout_.swiss.table_groups;
    const auto groups = load<std::uint64_t>(bytes, layout_.swiss.table_length_mask);
    if (groups < kTableGroupsMax && std::has_single_bit(groups + 1))
      push(load<std::uint64_t>(bytes, layout_.swiss.table_groups), plan.element, groups + 1,
           entries);
    return {};
  }
  const std::uint32_t table = TRY(plans_.number_of(plan.type, PlanRole::table));
  std::uint64_t last = 0;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const auto word = load<std::uint64_t>(bytes, at);
    if (word == last) // runs of one table
      continue;
    last = word;
    Step step = known;
    step.word = part.address + first_byte + at;
    push(word, table, 1, step);
  }
  return {};
}

Result<> GraphWalk::State::follow_header(const Values &header, std::span<const std::byte> bytes) {
  const TypePlan &plan = plans_[header.plan];
  if (plan.element == TypePlans::kUntyped)
    return {};
  Step step{.parent = header.pattern, .holder = header.plan, .kind = StepKind::entries};
  auto push_array = [&](std::uint64_t offset, std::uint64_t count) {
    step.word = header.address + offset;
    if (const auto word = load<std::uint64_t>(bytes, offset); word != 0)
      push(word, plan.element, count, step);
  };
  if (layout_.maps == MapImplementation::classic) {
    // As many as the array has room for: spare overflow buckets lie behind the others.
    push_array(layout_.classic.buckets, ~std::uint32_t{0});
    push_array(layout_.classic.oldbuckets, ~std::uint32_t{0});
    return {};
  }
  const auto dir_len = load<std::uint64_t>(bytes, layout_.swiss.dir_len);
  if (dir_len == 0) {
    push_array(layout_.swiss.dir_ptr, 1);
  } else if (std::has_single_bit(dir_len) && dir_len <= kDirectoryMax) {
    step.word = header.address + layout_.swiss.dir_ptr;
    step.kind = StepKind::root;
    push(load<std::uint64_t>(bytes, layout_.swiss.dir_ptr),
         TRY(plans_.number_of(plan.type, PlanRole::directory)), dir_len, step);
  }
  return {};
}

Result<> GraphWalk::State::take_channel(const Target &target, std::span<const std::byte> bytes) {
  constexpr std::uint64_t kQueued = 0, kRoom = 8, kBuffer = 16;
  constexpr std::uint64_t kElementTypes[] = {32, 40}; // until 1.22; 1.23 on, behind the timer
  constexpr std::uint64_t kChannelBytes = 96;         // at least
  const WalkItem &item = target.item;
  std::uint32_t element = TypePlans::kUntyped;
  if (item.address == target.object.data() && target.object.data_bytes() >= kChannelBytes) {
    bytes = bytes.subspan(item.address - target.object.start);
    // The channel itself says what is in it.
    for (const std::uint64_t at : kElementTypes)
      if (const auto type = load<std::uint64_t>(bytes, at); type == plans_[item.plan].type)
        element = plans_[item.plan].element;
      else if (plans_[plans_[item.plan].element].is_shape && types_.types().memory().header(type))
        element = TRY(plans_.number_of(type));
  }
  const auto room = element == TypePlans::kUntyped ? 0 : load<std::uint64_t>(bytes, kRoom);
  if (element == TypePlans::kUntyped || load<std::uint64_t>(bytes, kQueued) > room) {
    ++counts.words_refused;
    return {};
  }
  const std::uint32_t pattern = pattern_of(item.step, 0);
  mark(target.slot, SlotState::whole, pattern, item.step);
  ++counts.objects_typed;
  counts.bytes_scanned += kChannelBytes;
  if (const auto buffer = load<std::uint64_t>(bytes, kBuffer); room != 0)
    push(buffer, element, room,
         {.word = item.address + kBuffer, .parent = pattern, .kind = StepKind::buffer});
  return {};
}

} // namespace mapscope
