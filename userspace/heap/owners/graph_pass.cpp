// Variables first, stacks as they are after that, the runtime last.
#include "heap/owners/graph_pass.h"

#include <algorithm>
#include <array>
#include <utility>

#include "heap/runtime_data.h"
#include "heap/sites/special_lists.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kMemoryBytesMin = 64 << 20;
constexpr std::uint64_t kSpecialsMax = 4 << 20;

} // namespace

Result<std::unique_ptr<GraphPass>> GraphPass::prepare(AddressSpace &space,
                                                      const OwnerContext &context,
                                                      const GoTypes &types,
                                                      OwnerPatterns patterns) {
  const HeapLayout layout = TRY(HeapLayout::from(*context.facts));
  const HeapRoot root = TRY_WHILE(find_heap(space, *context.anchors, layout), "finding the heap");
  SpanTable spans = TRY_WHILE(SpanTable::read(space, root, layout), "reading the spans");
  return std::unique_ptr<GraphPass>(
      new GraphPass(space, context, types, std::move(patterns), layout, std::move(spans)));
}

GraphPass::GraphPass(AddressSpace &space, const OwnerContext &context, const GoTypes &types,
                     OwnerPatterns &&patterns, const HeapLayout &layout, SpanTable &&spans)
    : space_(space), context_(context), layout_(layout), spans_(std::move(spans)),
      patterns_(std::move(patterns)),
      types_(space, types, layout_, spans_, context.roots, context.load_bias),
      roots_(space, context.roots, context.load_bias, spans_, patterns_), data_(roots_.data()) {}

std::uint64_t GraphPass::heap_bytes() const {
  std::uint64_t bytes = 0;
  for (std::uint32_t span = 0; span < spans_.size(); ++span)
    bytes += spans_.size_bytes(span);
  return bytes;
}

Result<> GraphPass::walk(std::span<const std::uint64_t> maps, const OwnerLimits &limits) {
  const std::uint64_t memory = limits.memory_bytes_max != 0
                                   ? limits.memory_bytes_max
                                   : std::max(heap_bytes() / 4, kMemoryBytesMin);
  walk_ = std::make_unique<GraphWalk>(space_, layout_, spans_, data_, types_, patterns_, maps,
                                      WalkLimits{.memory_bytes_max = memory,
                                                 .cpu_max = limits.cpu_max,
                                                 .objects_max = limits.objects_max,
                                                 .words_max = limits.words_max});
  return follow_all();
}

Result<> GraphPass::follow_to_the_end() {
  TRY(follow_all()); // what was moved to roots while the heap was read
  return walk_->follow_rest();
}

Result<> GraphPass::follow_all() {
  RootLists lists;
  TRY(roots_.read_variables(lists));
  TRY(walk_->follow(lists.variables));
  TRY(walk_->follow(lists.code_variables));
  TRY(walk_->follow(lists.words));
  // What moved from the heap to a stack meanwhile is found there.
  TRY(read_stacks(lists));
  for (const std::vector<GraphRoot> &frames : lists.frames)
    TRY(walk_->follow(frames));
  TRY(read_finalizers(lists));
  TRY(walk_->follow(lists.runtime));
  // Calls that are over have left words there, which hold nothing.
  TRY(walk_->follow(lists.running));
  // The collector's workers have seen any object.
  TRY(walk_->follow(lists.runtime_frames));
  left_out_ = std::move(lists.left_out);
  return {};
}

Result<> GraphPass::read_stacks(RootLists &lists) {
  stacks_.reset();
  auto stacks = read_stack_roots(space_, *context_.facts, context_.load_bias, spans_, data_);
  if (!stacks) {
    const Errc code = stacks.error().code();
    if (code != Errc::unsupported && code != Errc::malformed && code != Errc::not_found)
      return std::unexpected(std::move(stacks).error());
    lists.left_out.push_back(
        fmt::format("the stacks of goroutines can't be read: {}", stacks.error().message()));
    return {};
  }
  stacks_ = *std::move(stacks);
  return roots_.read_frames(*stacks_, context_.symbolizer, lists);
}

// What is to run once an object is gone, and what is to be there then. Go source:
// runtime/mgcmark.go, markrootSpans.
Result<> GraphPass::read_finalizers(RootLists &lists) {
  auto specials = SpecialLists::open(space_, *context_.facts, spans_);
  if (!specials) {
    lists.left_out.push_back(specials.error().message());
    return {};
  }
  (void)TRY(specials->read_all(kSpecialsMax));
  const std::uint32_t pattern =
      patterns_.root({OwnerClass::runtime, "runtime finalizers", StepEvidence::collector}, 0);
  auto add = [&](std::uint64_t word, std::uint64_t value) {
    if (spans_.find_span(value))
      lists.runtime.push_back(
          {.address = word, .pattern = pattern, .value = value, .has_value = true});
  };
  for (const SpecialLists::Finalizer &finalizer : specials->finalizers()) {
    std::array<std::uint64_t, 3> words{};
    MemoryRead read{{finalizer.functions}, std::as_writable_bytes(std::span{words})};
    TRY(space_.read({&read, 1}));
    for (std::size_t i = 0; read.is_read && i < words.size(); ++i)
      add(finalizer.functions + 8 * i, words[i]);
    if (finalizer.keeps_contents)
      add(finalizer.functions, finalizer.object);
  }
  return {};
}

std::string GraphPass::incomplete_because() const {
  if (!walk_ || !walk_->counts().stopped_by.empty())
    return walk_ ? walk_->counts().stopped_by : "nothing was walked";
  if (!left_out_.empty())
    return left_out_.front();
  if (spans_.left_out_count() != 0)
    return fmt::format("{} spans of the heap can't be read", spans_.left_out_count());
  return {};
}

std::uint32_t GraphPass::pattern_on_stack(std::uint64_t address) const {
  const StackFrame *frame = stacks_ ? stacks_->frame_at(address) : nullptr;
  return frame == nullptr
             ? OwnerPatterns::kNone
             : roots_.pattern_of_frame(static_cast<std::uint32_t>(frame - stacks_->frames.data()));
}

Result<> GraphPass::name_functions() {
  const std::vector<std::uint64_t> entries = patterns_.unnamed_functions();
  if (entries.empty() || context_.symbolizer == nullptr)
    return {};
  std::vector<ElfAddress> places;
  for (const std::uint64_t entry : entries)
    places.push_back(context_.load_bias.to_elf({entry}));
  const std::vector<SourceFrames> frames = TRY(context_.symbolizer->symbolize(places));
  for (std::size_t i = 0; i < std::min(entries.size(), frames.size()); ++i)
    if (!frames[i].empty())
      patterns_.name_function(entries[i], frames[i].back().function);
  return {};
}

} // namespace mapscope
