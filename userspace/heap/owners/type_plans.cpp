// From the leaves of a type to actions. What no type can be makes a plan invalid, and nothing of
// such a type is followed.
#include "heap/owners/type_plans.h"

#include <utility>

#include "heap/owners/field_names.h"

namespace mapscope {
namespace {

// Real programs have some thousand types with some ten words each.
constexpr std::size_t kPlansMax = 1 << 18;
constexpr std::uint64_t kActionsMax = 1 << 21;
constexpr std::uint64_t kLearnedMax = 1 << 12; // types outside of the executable; each costs reads
// Longer arrays are followed element by element, by the plan of these.
constexpr std::size_t kLeavesOfArrayMax = 1024;
constexpr std::uint64_t kMaskedBytesMax = 512;
constexpr unsigned kDepthMax = 32; // arrays of arrays

std::uint64_t key_of(std::uint64_t type, PlanRole role) {
  return type ^ std::uint64_t{std::to_underlying(role)} << 56;
}

WordKind kind_of(const TypeLeaf &leaf) {
  switch (leaf.kind) {
  case GoKind::slice:
    return WordKind::slice;
  case GoKind::interface:
    return leaf.is_empty_interface ? WordKind::empty_interface : WordKind::interface;
  case GoKind::map:
    return WordKind::map;
  case GoKind::channel:
    return WordKind::channel;
  case GoKind::function:
    return WordKind::function;
  case GoKind::unsafe_pointer:
    return WordKind::unsafe_pointer;
  default:
    return WordKind::pointer;
  }
}

} // namespace

Result<std::uint32_t> TypePlans::number_of(std::uint64_t type, PlanRole role) {
  const auto [known, is_new] = numbers_.try_emplace(key_of(type, role), kUntyped);
  if (!is_new)
    return known->second;
  if (plans_.size() >= kPlansMax || action_count_ >= kActionsMax || depth_ >= kDepthMax)
    return kUntyped;
  const auto number = static_cast<std::uint32_t>(plans_.size());
  known->second = number; // before it is filled, since types lead back to themselves
  plans_.push_back({.type = type, .role = role});
  ++depth_;
  auto filled = fill(plans_[number]);
  --depth_;
  TRY(std::move(filled));
  return number;
}

Result<std::uint32_t> TypePlans::target_of(WordAction &action) {
  if (action.plan == kUntyped && action.type != 0)
    action.plan = TRY(number_of(action.type, action.kind == WordKind::map ? PlanRole::map_header
                                             : action.kind == WordKind::channel ? PlanRole::channel
                                                                                : PlanRole::value));
  return action.plan;
}

Result<> TypePlans::fill(TypePlan &plan) {
  switch (plan.role) {
  case PlanRole::value:
    return fill_value(plan);
  case PlanRole::map_header:
  case PlanRole::directory:
  case PlanRole::table:
    return fill_map(plan);
  case PlanRole::channel:
    plan.element = TRY(number_of(plan.type));
    plan.is_valid = plans_[plan.element].is_valid;
    return {};
  case PlanRole::pointer_to:
  case PlanRole::slice_of: {
    const bool is_slice = plan.role == PlanRole::slice_of;
    plan.size_bytes = is_slice ? 24 : 8;
    plan.pointer_mask = 1;
    plan.actions.push_back(
        {.kind = is_slice ? WordKind::slice : WordKind::pointer, .type = plan.type});
    plan.type = 0;
    plan.role = PlanRole::value;
    plan.is_valid = true;
    return {};
  }
  case PlanRole::closure:
    plan.is_valid = true;
    return {};
  }
  return {};
}

Result<> TypePlans::fill_value(TypePlan &plan) {
  GoTypes &types = types_.types();
  auto header = types.memory().header(plan.type);
  if (!header && plan.type % 8 == 0 && learn_count_ < kLearnedMax) {
    ++learn_count_;
    if (TRY(types.learn(space_, {plan.type})))
      header = types.memory().header(plan.type);
  }
  if (!header || header->size_bytes % 8 != 0 || header->pointer_bytes == 0)
    return {};
  plan.size_bytes = header->size_bytes;
  plan.is_shape = types_.is_shape(plan.type);
  if (header->kind == GoKind::array && header->size_bytes / 8 > kLeavesOfArrayMax) {
    const auto array = types.memory().array(plan.type, *header);
    if (!array || array->length == 0)
      return {};
    plan.element = TRY(number_of(array->element));
    const TypePlan &element = plans_[plan.element];
    plan.is_valid = element.is_valid && element.size_bytes * array->length == plan.size_bytes;
    plan.repeat = array->length;
    if (element.element != kUntyped) { // an array of arrays
      plan.repeat *= element.repeat;
      plan.element = element.element;
    }
    return {};
  }
  const auto leaves = types.leaves({plan.type});
  if (!leaves)
    return {};
  for (const TypeLeaf &leaf : *leaves) {
    if (leaf.offset % 8 != 0 || leaf.offset >= plan.size_bytes)
      return {};
    add_action(plan, leaf);
  }
  find_dictionary(plan);
  action_count_ += plan.actions.size();
  plan.is_valid = true;
  return {};
}

void TypePlans::add_action(TypePlan &plan, const TypeLeaf &leaf) {
  if (!leaf.has_pointers)
    return;
  const std::uint64_t word = leaf.offset / 8 + (leaf.kind == GoKind::interface ? 1 : 0);
  if (plan.size_bytes <= kMaskedBytesMax && word < 64)
    plan.pointer_mask |= std::uint64_t{1} << word;
  if (leaf.kind == GoKind::string)
    return;
  const bool is_to_element =
      leaf.kind == GoKind::pointer || leaf.kind == GoKind::slice || leaf.kind == GoKind::channel;
  WordKind kind = kind_of(leaf);
  if (is_to_element) {
    // What has no pointers is an end, but the collector keeps all of the object.
    const auto element = types_.types().memory().header(leaf.element);
    if (element && element->pointer_bytes == 0)
      kind = WordKind::opaque;
  }
  plan.actions.push_back({.offset = static_cast<std::uint32_t>(leaf.offset),
                          .pattern_offset = static_cast<std::uint32_t>(
                              canonical_offset(types_.types(), plan.type, leaf.offset)),
                          .kind = kind,
                          .type = kind == WordKind::opaque ? 0 : leaf.element});
}

// Closures of generic code have their dictionary last: *[N]uintptr. Go source:
// cmd/compile/internal/ noder/reader.go, funcLit and shapedMethodExpr.
void TypePlans::find_dictionary(TypePlan &plan) {
  const TypeMemory &memory = types_.types().memory();
  const auto header = memory.header(plan.type);
  const auto fields = header ? memory.fields(plan.type, *header) : std::nullopt;
  if (!fields || fields->size() < 2)
    return;
  const FieldEntry last = (*fields)[fields->size() - 1];
  const auto pointer = memory.header(last.type);
  const auto pointee = pointer && pointer->kind == GoKind::pointer
                           ? memory.word(last.type + TypeFields::kElement)
                           : std::nullopt;
  const auto array_header = pointee ? memory.header(*pointee) : std::nullopt;
  const auto array = array_header ? memory.array(*pointee, *array_header) : std::nullopt;
  const auto element = array ? memory.header(array->element) : std::nullopt;
  if (!element || element->kind != GoKind::uintptr || last.offset % 8 != 0 ||
      last.offset > plan.size_bytes - 8)
    return;
  plan.dictionary_offset = static_cast<std::uint32_t>(last.offset);
  plan.dictionary_words = array->length;
}

Result<> TypePlans::fill_map(TypePlan &plan) {
  GoTypes &types = types_.types();
  auto map = types.map_type({plan.type});
  if (!map && plan.role == PlanRole::map_header && learn_count_ < kLearnedMax) {
    ++learn_count_;
    if (TRY(types.learn(space_, {plan.type})))
      map = types.map_type({plan.type});
  }
  if (!map)
    return {};
  plan.is_valid = true;
  plan.is_shape = map->is_shape;
  const auto number = TRY(number_of(map->group.value));
  TypePlan &group = plans_[number];
  if (!group.is_valid)
    return {};
  plan.element = number;
  // Declared unsafe.Pointer, so that the bucket's type does not have to refer to itself.
  if (layout_.maps == MapImplementation::classic && !group.actions.empty())
    if (WordAction &last = group.actions.back();
        last.kind == WordKind::unsafe_pointer && last.offset == group.size_bytes - 8)
      last.kind = WordKind::next_bucket;
  return {};
}

} // namespace mapscope
