// Counters of the garbage collector's pacer, and sums over the shards of the statistics. Nobody
// writes them all at one moment, so what belongs together is read together, until it agrees.
#include "heap/heap_statistics.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "go/size_classes.h"
#include "heap/bulk_read.h"
#include "heap/pacer.h"

namespace mapscope {
namespace {

// A variable of the runtime, as it was when it was read.
class Variable {
public:
  // Nothing where its place or its type is not known, or where it cannot be read.
  static Result<std::optional<Variable>> read(AddressSpace &space, ProcessAddress address,
                                              const RuntimeLayout &layout, std::string_view type) {
    constexpr std::uint32_t kBytesMax = 1 << 16;
    const std::uint32_t size = layout.find(type).value_or(0);
    if (address.value == 0 || size == 0 || size > kBytesMax)
      return std::nullopt;
    Variable variable(layout, type, size);
    const auto read = read_exactly(space, address.value, variable.bytes_);
    if (read)
      return variable;
    if (read.error().code() == Errc::not_found)
      return std::nullopt;
    return std::unexpected(read.error());
  }

  template <typename T = std::uint64_t> std::optional<T> get(std::string_view field) const {
    const auto offset = layout_->find(type_ + "." + std::string(field));
    return offset ? at<T>(*offset) : std::nullopt;
  }
  template <typename T = std::uint64_t> std::optional<T> at(std::uint64_t offset) const {
    if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset)
      return std::nullopt;
    return load<T>(bytes_, offset);
  }

private:
  Variable(const RuntimeLayout &layout, std::string_view type, std::uint32_t size_bytes)
      : layout_(&layout), type_(type), bytes_(size_bytes) {}

  const RuntimeLayout *layout_;
  std::string type_;
  std::vector<std::byte> bytes_;
};

// runtime.heapStatsDelta: three of them, which are only right together. Each may be negative.
struct Shards {
  std::uint64_t in_heap_bytes = 0, released_bytes = 0;
  std::uint64_t objects_allocated = 0, objects_freed = 0;
};

std::optional<Shards> sum_shards(const Variable &statistics, const RuntimeLayout &layout) {
  constexpr std::uint64_t kShards = 3;
  const auto size = layout.find("runtime.heapStatsDelta");
  const auto start = layout.find("runtime.mstats.heapStats");
  if (!size || !start)
    return std::nullopt;
  bool is_whole = true;
  // Unsigned arithmetic wraps around, and so adds negative shards as it should.
  auto sum = [&](std::string_view field, std::uint64_t count = 1) {
    const auto offset = layout.find("runtime.heapStatsDelta." + std::string(field));
    is_whole &= offset.has_value();
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < kShards * count && is_whole; ++i) {
      const auto word = statistics.at(*start + i / count * *size + *offset + i % count * 8);
      is_whole &= word.has_value();
      total += word.value_or(0);
    }
    return total;
  };
  const std::uint64_t tiny = sum("tinyAllocCount"); // of blocks that several objects share
  const Shards shards{
      .in_heap_bytes = sum("inHeap"),
      .released_bytes = sum("released"),
      .objects_allocated =
          tiny + sum("largeAllocCount") + sum("smallAllocCount", kSizeClasses.size()),
      .objects_freed = tiny + sum("largeFreeCount") + sum("smallFreeCount", kSizeClasses.size())};
  return is_whole ? std::optional{shards} : std::nullopt;
}

// All counters, read within microseconds of each other.
struct Counters {
  std::uint64_t in_use_bytes = 0; // by mheap_, whose place is proved
  std::uint32_t sweepgen = 0;
  std::optional<Variable> pacer, statistics;
  std::optional<Shards> shards;
  bool agree = false; // nothing changed meanwhile that could be seen
};

class CounterReader {
public:
  CounterReader(AddressSpace &space, const HeapAnchors &anchors, const HeapRoot &root,
                const RuntimeLayout &layout)
      : space_(space), anchors_(anchors), root_(root), layout_(layout) {}

  // A process that allocates without pause may never agree; then the last attempt counts.
  Result<Counters> read() {
    constexpr int kTries = 16;
    Counters counters = TRY(read_once());
    for (int i = 1; i < kTries && !counters.agree; ++i)
      counters = TRY(read_once());
    return counters;
  }

private:
  Result<Counters> read_once() {
    Counters counters;
    counters.in_use_bytes = TRY(in_use_bytes());
    counters.sweepgen =
        TRY(read_value<std::uint32_t>(space_, root_.mheap + offset("runtime.mheap.sweepgen")));
    counters.pacer =
        TRY(Variable::read(space_, anchors_.gc_controller, layout_, "runtime.gcControllerState"));
    counters.statistics =
        TRY(Variable::read(space_, anchors_.statistics, layout_, "runtime.mstats"));
    auto in_use = counters.pacer ? counters.pacer->get("heapInUse") : std::nullopt;
    counters.agree = in_use.value_or(counters.in_use_bytes) == counters.in_use_bytes;
    if (counters.statistics) {
      counters.shards = sum_shards(*counters.statistics, layout_);
      // A reader in the process moves what is in one shard to another, and says so first.
      const auto again =
          TRY(Variable::read(space_, anchors_.statistics, layout_, "runtime.mstats"));
      const auto shards = again ? sum_shards(*again, layout_) : std::nullopt;
      counters.agree &= shards && counters.shards &&
                        generation(*again) == generation(*counters.statistics) &&
                        shards->in_heap_bytes == counters.shards->in_heap_bytes &&
                        shards->in_heap_bytes == counters.in_use_bytes &&
                        shards->objects_freed >= counters.shards->objects_freed;
    }
    counters.agree &= TRY(in_use_bytes()) == counters.in_use_bytes;
    return counters;
  }

  Result<std::uint64_t> in_use_bytes() {
    const auto pages =
        TRY(read_value<std::uint64_t>(space_, root_.mheap + offset("runtime.mheap.pagesInUse")));
    return std::min(pages, kHeapBytesMax / kGoPageBytes) * kGoPageBytes;
  }
  std::optional<std::uint32_t> generation(const Variable &statistics) const {
    const auto shards = layout_.find("runtime.mstats.heapStats");
    const auto field = layout_.find("runtime.consistentHeapStats.gen");
    return shards && field ? statistics.at<std::uint32_t>(std::uint64_t{*shards} + *field)
                           : std::nullopt;
  }
  std::uint32_t offset(std::string_view name) const { return layout_.find(name).value_or(0); }

  AddressSpace &space_;
  const HeapAnchors &anchors_;
  const HeapRoot &root_;
  const RuntimeLayout &layout_;
};

// Two counters of one thing, read a moment apart in a process that may be busy.
bool are_close(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kSlackBytes = 4 << 20;
  return std::max(a, b) - std::min(a, b) <= std::max(a, b) / 16 + kSlackBytes;
}

// Whether this is runtime.gcController. Go 1.17 and 1.18 do not repeat in it what mheap_ counts.
bool is_pacer(const Variable &pacer, std::uint64_t in_use_bytes) {
  if (const auto in_use = pacer.get("heapInUse"))
    return are_close(*in_use, in_use_bytes);
  const std::uint64_t live = pacer.get("heapLive").value_or(~0ULL);
  return live <= in_use_bytes || are_close(live, in_use_bytes);
}

// Whether this is runtime.memstats.
bool is_statistics(const Counters &counters) {
  constexpr std::uint32_t kCyclesApart = 2; // one is counted at the start of sweeping, one later
  const auto cycles = counters.statistics->get<std::uint32_t>("numgc");
  const std::uint32_t swept = counters.sweepgen / 2;
  return counters.shards && cycles &&
         std::max(*cycles, swept) - std::min(*cycles, swept) <= kCyclesApart &&
         are_close(counters.shards->in_heap_bytes, counters.in_use_bytes);
}

std::optional<std::uint64_t> plausible(std::optional<std::uint64_t> bytes) {
  return bytes && *bytes <= kHeapBytesMax ? bytes : std::nullopt;
}

// Of shards that were caught in a move the sum may be negative.
bool is_count(std::uint64_t sum) { return sum >> 63 == 0; }

std::optional<std::uint64_t> find_goal(const Variable &pacer, GoVersion version) {
  if (const auto goal = pacer.get("heapGoal")) // until Go 1.18
    return plausible(goal);
  const auto percent_goal = pacer.get("gcPercentHeapGoal"), limit = pacer.get("memoryLimit"),
             marked = pacer.get("heapMarked"), allocated = pacer.get("totalAlloc"),
             freed = pacer.get("totalFree"), free = pacer.get("heapFree"),
             mapped = pacer.get("mappedReady"), sweep = pacer.get("sweepDistMinTrigger"),
             triggered = pacer.get("triggered");
  if (!percent_goal || !limit || !marked || !allocated || !freed || !free || !mapped || !sweep ||
      !triggered)
    return std::nullopt;
  return plausible(
      heap_goal({.percent_goal_bytes = *percent_goal,
                 .limit_bytes = *limit,
                 .marked_bytes = *marked,
                 .allocated_bytes = *allocated - *freed,
                 .free_bytes = *free,
                 .mapped_bytes = *mapped,
                 .sweep_trigger_bytes = *sweep,
                 .triggered_bytes = *triggered,
                 .has_proportional_headroom = version.minor >= 21}));
}

void take_pacer(const Variable &pacer, GoVersion version, HeapStatistics &heap) {
  // Before the first collection there is a number that makes up for one.
  if (heap.gc_cycles > 0)
    heap.live_bytes = plausible(pacer.get("heapMarked"));
  if (const auto released = pacer.get("heapReleased"), free = pacer.get("heapFree");
      released && free) { // from Go 1.19 on
    heap.released_bytes = plausible(released);
    heap.idle_bytes = plausible(*released + *free);
  }
  if (const auto allocated = pacer.get("totalAlloc"), freed = pacer.get("totalFree");
      allocated && freed && !heap.allocated_bytes)
    heap.allocated_bytes = plausible(*allocated - *freed);
  heap.goal_bytes = find_goal(pacer, version);
  if (const auto limit = pacer.get("memoryLimit"); limit && *limit < kNoLimit)
    heap.limit_bytes = limit;
}

void take_statistics(const Counters &counters, HeapStatistics &heap) {
  const Variable &statistics = *counters.statistics;
  heap.gc_cycles = statistics.get<std::uint32_t>("numgc");
  const Shards &shards = *counters.shards;
  if (is_count(shards.objects_allocated) && is_count(shards.objects_freed) &&
      shards.objects_allocated >= shards.objects_freed) {
    heap.objects_allocated = shards.objects_allocated;
    heap.objects_freed = shards.objects_freed;
  }
  if (!heap.released_bytes)
    heap.released_bytes = plausible(shards.released_bytes);
  const auto mapped = statistics.get("heap_sys"), in_use = statistics.get("heap_inuse");
  if (!mapped || !in_use) // from Go 1.19 on
    return;
  if (*mapped >= *in_use)
    heap.idle_bytes = plausible(*mapped - *in_use);
  // A span that a processor takes to allocate in is counted as if it were full already.
  std::uint64_t alive = 0;
  for (const SizeClassUse &use : heap.size_classes)
    alive += use.object_count;
  if (heap.objects_allocated)
    heap.objects_allocated = std::min(*heap.objects_allocated, *heap.objects_freed + alive);
}

} // namespace

Result<HeapStatistics> read_heap_statistics(AddressSpace &space, const HeapAnchors &anchors,
                                            const HeapRoot &root, const BinaryFacts &facts,
                                            const SpanTable &spans) {
  HeapStatistics heap;
  heap.size_classes = size_class_use(spans);
  if (spans.left_out_count() == 0) {
    std::uint64_t allocated = 0;
    for (const SizeClassUse &use : heap.size_classes)
      allocated += use.span_bytes - use.free_bytes - use.tail_bytes;
    heap.allocated_bytes = allocated;
  }
  if (!facts.layout.find("runtime.mheap.pagesInUse") ||
      !facts.layout.find("runtime.mheap.sweepgen"))
    return heap;
  const Counters counters = TRY(CounterReader(space, anchors, root, facts.layout).read());
  heap.in_use_bytes = counters.in_use_bytes;
  heap.gc_cycles = counters.sweepgen / 2;
  const bool has_statistics = counters.statistics && is_statistics(counters);
  if (has_statistics)
    take_statistics(counters, heap);
  if (counters.pacer && is_pacer(*counters.pacer, counters.in_use_bytes))
    take_pacer(*counters.pacer, facts.version, heap);
  return heap;
}

std::vector<SizeClassUse> size_class_use(const SpanTable &spans) {
  std::array<SizeClassUse, 2 * kSizeClasses.size()> classes; // by SpanClass::value
  for (std::uint32_t span = 0; span < spans.size(); ++span) {
    SizeClassUse &use = classes[spans.span_class(span).value];
    const std::uint64_t object_bytes = spans.elem_bytes(span);
    const std::uint64_t slots_bytes = spans.elem_count(span) * object_bytes;
    ++use.span_count;
    use.span_bytes += spans.size_bytes(span);
    use.object_count += spans.alloc_count(span);
    use.free_bytes += (spans.elem_count(span) - spans.alloc_count(span)) * object_bytes;
    use.tail_bytes += spans.size_bytes(span) - slots_bytes;
  }
  std::vector<SizeClassUse> used;
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i].span_count != 0) {
      const SpanClass span_class{static_cast<std::uint8_t>(i)};
      classes[i].object_bytes = kSizeClasses[span_class.size_class()];
      classes[i].has_pointers = span_class.has_pointers();
      used.push_back(classes[i]);
    }
  return used;
}

} // namespace mapscope
