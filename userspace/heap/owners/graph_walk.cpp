// Rounds: what is to be looked at is put in the order of addresses, read, and followed. What it
// leads to is the next round.
#include "heap/owners/graph_walk.h"

#include <algorithm>
#include <ctime>
#include <tuple>

#include "heap/owners/graph_walk_state.h"

namespace mapscope {
namespace {

constexpr std::size_t kBatchItems = 1 << 13;
// A page costs hardly more than a part of it.
constexpr std::uint64_t kGapBytesMax = 1024;
constexpr std::uint64_t kDataBytesMax = 64 << 20; // of one variable
constexpr std::size_t kChildrenKept = 1 << 14;

std::uint64_t thread_cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

GraphWalk::State::State(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
                        std::span<const ProcessRange> data, DynamicTypes &types,
                        OwnerPatterns &patterns, std::span<const std::uint64_t> maps,
                        const WalkLimits &limits)
    : witnesses(maps.size()), slots(spans, maps, limits.memory_bytes_max / 4 * 3), space_(space),
      layout_(layout), spans_(spans), data_(data.begin(), data.end()), types_(types),
      patterns_(patterns), plans_(space, layout, types), bits_(space, layout, spans),
      limits_(limits), children_(kChildrenKept), cpu_start_ns_(thread_cpu_ns()) {
  std::ranges::sort(data_);
  if (slots.left_out_count() != 0)
    counts.stopped_by =
        fmt::format("{} spans of the heap hold more objects than the walk may keep in mind",
                    slots.left_out_count());
}

bool GraphWalk::State::is_spent() {
  const std::uint64_t cpu_ms = (thread_cpu_ns() - cpu_start_ns_) / 1'000'000;
  counts.cpu_ms = cpu_ms;
  if (is_stopped_)
    return true;
  std::string reason;
  if (cpu_ms >= static_cast<std::uint64_t>(limits_.cpu_max.count()))
    reason = fmt::format("{} ms of CPU were spent", cpu_ms);
  else if (counts.objects_typed + counts.objects_untyped >= limits_.objects_max)
    reason = fmt::format("{} objects were looked at", limits_.objects_max);
  else if (counts.words_followed >= limits_.words_max)
    reason = fmt::format("{} words were followed", limits_.words_max);
  else if ((next_.size() + waiting_count_) * sizeof(WalkItem) >= limits_.memory_bytes_max / 4)
    reason = "more objects were to be looked at than the walk may keep in mind";
  if (reason.empty())
    return false;
  is_stopped_ = true;
  counts.stopped_by = std::move(reason);
  return true;
}

Result<> GraphWalk::State::follow(std::span<const GraphRoot> roots) {
  if (is_spent())
    return {};
  ++turn_;
  for (const GraphRoot &root : roots)
    TRY(add_root(root));
  return run();
}

Result<> GraphWalk::State::add_root(const GraphRoot &root) {
  const Step word{.word = root.address, .parent = root.pattern, .kind = StepKind::word};
  if (root.has_value)
    return follow_untyped(root.value, root.before, word);
  if (root.type == 0) {
    auto value = read_value<std::uint64_t>(space_, root.address);
    return value ? follow_untyped(*value, root.before, word) : Result<>{};
  }
  // What lies in the heap keeps the word that led to it.
  const PlanRole role = root.form == RootForm::pointer ? PlanRole::pointer_to
                        : root.form == RootForm::slice ? PlanRole::slice_of
                                                       : PlanRole::value;
  push(root.address, TRY(plans_.number_of(root.type, role)), root.count,
       {.parent = root.pattern, .kind = StepKind::root});
  return {};
}

Result<> GraphWalk::State::run() {
  while (!is_stopped_ && TRY(begin_round())) {
    // Of several items for one object, the one that says most of it comes first.
    std::ranges::sort(current_, {}, [this](const WalkItem &item) {
      const bool is_weak = item.plan == TypePlans::kUntyped || plans_[item.plan].is_shape;
      return std::tuple{item.address, is_weak, item.step.parent, item.plan, item.step.word};
    });
    for (std::size_t done = 0; done < current_.size() && !is_spent(); done += kBatchItems) {
      const auto left = std::span{current_}.subspan(done);
      TRY(process(left.first(std::min(kBatchItems, left.size()))));
      if (is_crowded() && left.size() > kBatchItems) {
        waiting_.emplace_back(left.begin() + kBatchItems, left.end());
        waiting_count_ += waiting_.back().size();
        break;
      }
    }
  }
  next_.clear();
  waiting_.clear();
  pieces_.clear();
  waiting_count_ = 0;
  (void)is_spent(); // takes the time
  return {};
}

// Whether there is more to do: what came last, what had to wait for it, and what is left of objects
// that lead to many. Breadth first is for short paths; where that would take too much memory, some
// go first.
Result<bool> GraphWalk::State::begin_round() {
  current_.clear();
  while (next_.empty() && !pieces_.empty() && waiting_.empty() && !is_spent()) {
    const Pieces rest = pieces_.back();
    pieces_.pop_back();
    TRY(read_pieces(rest.values, rest.size_bytes, rest.first_byte));
  }
  if (next_.empty() && !waiting_.empty()) {
    next_ = std::move(waiting_.back());
    waiting_.pop_back();
    waiting_count_ -= next_.size();
  }
  current_.swap(next_);
  return !current_.empty();
}

bool GraphWalk::State::is_crowded() const {
  return next_.size() * sizeof(WalkItem) > limits_.memory_bytes_max / 16;
}

void GraphWalk::State::add_target(const WalkItem &item) {
  Target target{.item = item};
  switch (slots.find(item.address, target.slot)) {
  case SlotTable::Place::nowhere:
    return add_data_target(item);
  case SlotTable::Place::no_pointers:
    return;
  case SlotTable::Place::slot:
    break;
  }
  const SlotState state = slots.state(target.slot);
  if (state == SlotState::whole || (item.plan == TypePlans::kUntyped && state != SlotState::unseen))
    return;
  target.object = slots.object(target.slot);
  if (target.object.size_bytes > kSmallBytesMax)
    large_.push_back(target);
  else
    targets_.push_back(target);
}

void GraphWalk::State::add_data_target(const WalkItem &item) {
  const TypePlan &plan = plans_[item.plan];
  std::uint64_t size = plan.role == PlanRole::map_header
                           ? layout_.header_size
                           : std::min(std::uint64_t{item.count} * plan.size_bytes, kDataBytesMax);
  // A root is where it is said to be; what others point to ends with the data.
  if (!item.step.is_root()) {
    const ProcessRange *range = data_range(item.address);
    size = range == nullptr ? 0 : std::min(size, range->end().value - item.address);
  }
  if (size == 0)
    return;
  targets_.push_back({.item = item, .size_bytes = size});
  if (size > kSmallBytesMax) {
    large_.push_back(targets_.back());
    targets_.pop_back();
  }
}

Result<> GraphWalk::State::process(std::span<const WalkItem> items) {
  targets_.clear();
  large_.clear();
  for (const WalkItem &item : items)
    add_target(item);
  TRY(read_targets());
  for (const Target &target : large_)
    TRY(target.size_bytes != 0 ? take_data(target, {}) : take_large(target));
  return {};
}

Result<> GraphWalk::State::read_targets() {
  ranges_.clear();
  objects_.clear();
  for (const Target &target : targets_) {
    const HeapObject &object = target.object;
    if (target.size_bytes != 0) {
      ranges_.push_back({target.item.address, static_cast<std::uint32_t>(target.size_bytes)});
      continue;
    }
    ranges_.push_back({object.start, static_cast<std::uint32_t>(object.size_bytes)});
    if (object.size_bytes <= kHeaderlessBytesMax &&
        (objects_.empty() || objects_.back().start != object.start))
      objects_.push_back(object);
    counts.bytes_read += object.size_bytes;
  }
  TRY(bits_.read(objects_));
  Result<> taken;
  TRY(read_sorted(
      space_, ranges_, kGapBytesMax, [&](std::size_t index, std::span<const std::byte> bytes) {
        const Target &target = targets_[index];
        if (taken)
          taken = target.size_bytes != 0 ? take_data(target, bytes) : take_object(target, bytes);
      }));
  return taken;
}

GraphWalk::GraphWalk(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
                     std::span<const ProcessRange> data, DynamicTypes &types,
                     OwnerPatterns &patterns, std::span<const std::uint64_t> maps,
                     const WalkLimits &limits)
    : state_(std::make_unique<State>(space, layout, spans, data, types, patterns, maps, limits)) {}

GraphWalk::~GraphWalk() = default;

Result<> GraphWalk::follow(std::span<const GraphRoot> roots) { return state_->follow(roots); }

Result<> GraphWalk::follow_rest() { return state_->follow_rest(); }

std::span<const MapWitness> GraphWalk::witnesses() const { return state_->witnesses; }

std::span<const std::pair<std::uint32_t, std::uint64_t>> GraphWalk::other_types() const {
  return state_->other_types;
}

std::uint64_t GraphWalk::word_to(std::uint64_t address) const {
  SlotRef slot;
  return state_->slots.find(address, slot) == SlotTable::Place::slot ? state_->slots.word(slot) : 0;
}

std::uint32_t GraphWalk::pattern_of(std::uint64_t address) const {
  SlotRef slot;
  return state_->slots.find(address, slot) == SlotTable::Place::slot ? state_->slots.pattern(slot)
                                                                     : OwnerPatterns::kNone;
}

Result<std::vector<bool>> GraphWalk::still_hold(std::span<const std::uint64_t> words) const {
  return state_->still_hold(words);
}

const OwnerCounts &GraphWalk::counts() const { return state_->counts; }

} // namespace mapscope
