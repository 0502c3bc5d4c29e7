// Paths through translated instructions; see call_sites.h.
//
// Each function is looked at with what it is called with (see call_sites_state.h), then the calls
// in its blocks are added up over all paths (call_sites_paths.h). What is in doubt widens bounds:
// a call on one of two maps counts from 0 to 1 for both.
#include "kernel/bpf_maps/call_sites.h"

#include <algorithm>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <linux/bpf.h>

#include "kernel/bpf_maps/call_sites_code.h"
#include "kernel/bpf_maps/call_sites_paths.h"
#include "kernel/bpf_maps/call_sites_state.h"

namespace mapscope {

namespace {

constexpr std::uint8_t kCall = BPF_JMP | BPF_CALL;
constexpr std::int32_t kKernelFunctionCall = 2; // BPF_PSEUDO_KFUNC_CALL
constexpr std::size_t kSummariesMax = 512;      // functions times what they are called with
constexpr std::uint64_t kStepsMax = 32U << 20;  // instructions looked at
constexpr std::uint64_t kPathStepsMax =
    8U << 20; // blocks counted through: a second; then bounds are given up
// The kernel lets a million instructions in, none of which is in two functions: who needs more than
// these is no program that it has verified.
constexpr std::uint64_t kBlocksMax = 512U << 10; // of all functions
constexpr std::uint64_t kWeightsMax = 1U << 20;  // calls on maps in blocks, and in what they call
constexpr unsigned kDepthMax = 32;               // the kernel allows 8

enum class CallKind : std::uint8_t { lookup, update, remove };

// What is called on; after the maps that the code names.
constexpr std::uint32_t kInnerMap = UINT32_MAX - 1, kLostMap = UINT32_MAX;

struct CalledOn {
  std::uint32_t map = 0; // index, or one of the above
  CallKind kind{};
  auto operator<=>(const CalledOn &) const = default;
};

using CallCounts = std::map<CalledOn, PathCount>;

struct CalledFunction {
  std::uint32_t entry = 0;
  HeldValues::Arguments arguments;
  auto operator<=>(const CalledFunction &) const = default;
};

class ProgramReader {
public:
  ProgramReader(const TranslatedCode &translated,
                const std::function<BpfHelper(std::int32_t)> &helper_of)
      : translated_(translated), code_(translated.instructions), helper_of_(helper_of) {}

  Result<ProgramCallSites> read();

private:
  struct Weights {
    std::map<CalledOn, std::vector<PathWeight>> of;
    std::uint32_t block = 0; // whose instructions are looked at
    std::uint64_t count = 0;

    void add(CalledOn on, std::uint64_t fewest, std::uint64_t most) {
      of[on].push_back({.block = block, .fewest = fewest, .most = most});
      ++count;
    }
  };

  Result<const CallCounts *> summary(CalledFunction function, unsigned depth);
  Result<const CodeGraph *> graph(std::uint32_t entry);
  Result<std::vector<std::optional<HeldValues>>> values_at_blocks(const CodeGraph &graph,
                                                                  const CalledFunction &function);
  CallCounts count(const CodeGraph &graph, const Weights &weights);
  Result<void> pass(std::uint32_t at, HeldValues &values);
  Result<void> take(std::uint32_t at, const HeldValues &values, Weights &weights, unsigned depth);
  Result<void> take_call(std::uint32_t at, const HeldValues &values, Weights &weights,
                         unsigned depth);
  Result<void> take_callbacks(const HeldValues &values, BpfHelper helper, Weights &weights,
                              unsigned depth);
  void take_site(std::uint32_t at, CallKind kind, const HeldValue &map, Weights &weights,
                 std::uint64_t fewest = 1);
  Result<void> add_unbound_callbacks(CallCounts &counts);
  ProgramCallSites told(const CallCounts &counts) const;

  const TranslatedCode &translated_;
  std::span<const bpf_insn> code_;
  const std::function<BpfHelper(std::int32_t)> &helper_of_;
  std::set<std::uint32_t> bound_;             // functions that a run calls, or has called
  std::map<std::uint32_t, CodeGraph> graphs_; // by entry
  std::map<CalledFunction, CallCounts> summaries_;
  std::set<std::uint32_t> open_; // functions whose summary is being made, by entry
  std::set<std::pair<std::uint32_t, CalledOn>> sites_;
  std::set<CalledOn> beyond_runs_;
  std::uint64_t steps_ = 0, path_steps_ = 0, blocks_ = 0, weights_ = 0;
  bool has_tail_calls_ = false, may_throw_ = false;
};

Result<const CodeGraph *> ProgramReader::graph(std::uint32_t entry) {
  auto found = graphs_.find(entry);
  if (found == graphs_.end()) {
    steps_ += code_.size() / 64; // what the tables of one cost
    found = graphs_.emplace(entry, TRY(CodeGraph::of(code_, entry))).first;
    blocks_ += found->second.blocks.size();
    if (blocks_ > kBlocksMax)
      return fail(Errc::unsupported, "more than {} blocks in all functions", kBlocksMax);
  }
  return &found->second;
}

// What one instruction leaves in registers and slots, calls included.
Result<void> ProgramReader::pass(std::uint32_t at, HeldValues &values) {
  if (++steps_ > kStepsMax)
    return fail(Errc::unsupported, "the code takes more than {} steps to look through", kStepsMax);
  const bpf_insn &instruction = code_[at];
  if (translated_.slots(at) == 2) {
    values.set(static_cast<std::int16_t>(instruction.dst_reg), translated_.constant(at));
  } else if (instruction.code == kCall) {
    bool writes_here = false, has_callback = instruction.src_reg == BPF_PSEUDO_CALL;
    for (std::int16_t place = BPF_REG_1; place <= BPF_REG_5; ++place) {
      const HeldValue value = values.get(place);
      writes_here |= value.stack;
      has_callback |= value.thing_count != 0 && (value.all().back() & HeldValue::kFunction) != 0;
    }
    const bool is_lookup =
        instruction.src_reg == 0 && helper_of_(instruction.imm) == BpfHelper::lookup;
    values.after_call(is_lookup ? HeldValue{.inner = true} : HeldValue::unknown(),
                      writes_here && has_callback);
  } else if ((instruction.code & 0x07) == BPF_LD) { // of a packet: a call by another name
    values.after_call(HeldValue::unknown(), false);
  } else {
    values.step(instruction);
  }
  return {};
}

Result<std::vector<std::optional<HeldValues>>>
ProgramReader::values_at_blocks(const CodeGraph &graph, const CalledFunction &function) {
  std::vector<std::optional<HeldValues>> values(graph.blocks.size());
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> waiting;
  std::vector<bool> is_waiting(graph.blocks.size());
  values[graph.entry_block] = HeldValues::of_arguments(function.arguments);
  waiting.push(graph.entry_block);
  while (!waiting.empty()) {
    const auto at_block = waiting.top();
    waiting.pop();
    is_waiting[at_block] = false;
    const CodeBlock &block = graph.blocks[at_block];
    HeldValues now = *values[at_block];
    for (auto at = block.first; at <= block.last; at += translated_.slots(at))
      TRY(pass(at, now));
    for (std::uint8_t i = 0; i < block.next_count; ++i) {
      auto &there = values[block.next[i]];
      const bool is_news = there ? there->add(now) : (there = now, true);
      if (is_news && !is_waiting[block.next[i]]) {
        is_waiting[block.next[i]] = true;
        waiting.push(block.next[i]);
      }
    }
  }
  return values;
}

void ProgramReader::take_site(std::uint32_t at, CallKind kind, const HeldValue &map,
                              Weights &weights, std::uint64_t fewest) {
  std::vector<CalledOn> ons;
  for (auto which : map.all())
    if ((which & HeldValue::kFunction) == 0)
      ons.push_back({which, kind});
  // A map that came out of a map may join one that the code names: that is both then.
  if (map.inner)
    ons.push_back({kInnerMap, kind});
  if (map.other || ons.empty())
    ons.push_back({kLostMap, kind});
  for (const auto &on : ons) {
    sites_.insert({at, on});
    weights.add(on, ons.size() == 1 ? fewest : 0, 1);
  }
}

Result<void> ProgramReader::take_callbacks(const HeldValues &values, BpfHelper helper,
                                           Weights &weights, unsigned depth) {
  const bool is_within_run = helper == BpfHelper::loop || helper == BpfHelper::for_each;
  const auto arguments = values.arguments();
  for (const HeldValue &argument : arguments) {
    for (auto which : argument.all()) {
      if ((which & HeldValue::kFunction) == 0)
        continue;
      CalledFunction callback{.entry = which & ~HeldValue::kFunction};
      callback.arguments.fill(HeldValue::unknown());
      if (helper == BpfHelper::for_each)
        callback.arguments[0] = arguments[0];
      if (is_within_run)
        bound_.insert(callback.entry);
      for (const auto &[on, count] : *TRY(summary(callback, depth + 1)))
        weights.add(on, 0, count.most == 0 ? 0 : kUnboundedCount);
    }
  }
  return {};
}

Result<void> ProgramReader::take_call(std::uint32_t at, const HeldValues &values, Weights &weights,
                                      unsigned depth) {
  const bpf_insn &call = code_[at];
  if (call.src_reg == BPF_PSEUDO_CALL) {
    const auto entry = TRY(translated_.callee(at));
    bound_.insert(entry);
    for (const auto &[on, count] :
         *TRY(summary({.entry = entry, .arguments = values.arguments()}, depth + 1)))
      weights.add(on, count.fewest, count.most);
    return {};
  }
  const bool is_tail_call = call.src_reg == 0 && call.imm == BPF_FUNC_tail_call;
  const auto helper = is_tail_call ? BpfHelper::tail_call : helper_of_(call.imm);
  const HeldValue first = values.get(BPF_REG_1);
  switch (helper) {
  case BpfHelper::lookup:
    take_site(at, CallKind::lookup, first, weights);
    break;
  case BpfHelper::update:
    take_site(at, CallKind::update, first, weights);
    break;
  case BpfHelper::remove:
    take_site(at, CallKind::remove, first, weights);
    break;
  case BpfHelper::lookup_or_update:
    take_site(at, CallKind::lookup, first, weights);
    take_site(at, CallKind::update, first, weights, 0);
    break;
  case BpfHelper::update_second:
    take_site(at, CallKind::update, values.get(BPF_REG_2), weights);
    break;
  case BpfHelper::tail_call:
    has_tail_calls_ = true;
    break;
  case BpfHelper::throw_exception:
    may_throw_ = true;
    break;
  case BpfHelper::unknown: // a kernel function may well be the one that throws
    may_throw_ |= call.src_reg == kKernelFunctionCall;
    break;
  case BpfHelper::loop:
  case BpfHelper::for_each:
  case BpfHelper::other:
    break;
  }
  return take_callbacks(values, helper, weights, depth);
}

Result<void> ProgramReader::take(std::uint32_t at, const HeldValues &values, Weights &weights,
                                 unsigned depth) {
  if (code_[at].code == kCall)
    return take_call(at, values, weights, depth);
  if (translated_.is_inlined_lookup(at, values))
    take_site(at, CallKind::lookup, values.get(BPF_REG_1), weights);
  return {};
}

CallCounts ProgramReader::count(const CodeGraph &graph, const Weights &weights) {
  CallCounts counts;
  if (weights.of.empty())
    return counts;
  PathCounter counter{graph};
  for (const auto &[on, of] : weights.of) {
    path_steps_ += graph.blocks.size();
    counts.emplace(on, path_steps_ > kPathStepsMax ? PathCount{.fewest = 0, .most = kUnboundedCount}
                                                   : counter.count(of));
  }
  return counts;
}

Result<const CallCounts *> ProgramReader::summary(CalledFunction function, unsigned depth) {
  if (depth > kDepthMax)
    return fail(Errc::malformed, "calls are more than {} deep", kDepthMax);
  if (summaries_.size() >= kSummariesMax)
    function.arguments.fill(HeldValue::unknown());
  if (summaries_.size() >= 2 * kSummariesMax)
    return fail(Errc::unsupported, "more than {} functions", 2 * kSummariesMax);
  if (const auto found = summaries_.find(function); found != summaries_.end())
    return &found->second;
  if (!open_.insert(function.entry).second)
    return fail(Errc::malformed, "the function at {} calls itself", function.entry);
  const CodeGraph &graph = *TRY(this->graph(function.entry));
  const auto values = TRY(values_at_blocks(graph, function));
  Weights weights;
  for (weights.block = 0; weights.block < graph.blocks.size(); ++weights.block) {
    const CodeBlock &block = graph.blocks[weights.block];
    if (!values[weights.block])
      continue;
    HeldValues now = *values[weights.block];
    for (auto at = block.first; at <= block.last; at += translated_.slots(at)) {
      TRY(take(at, now, weights, depth));
      TRY(pass(at, now));
      if (weights_ + weights.count > kWeightsMax)
        return fail(Errc::unsupported, "more than {} calls on maps", kWeightsMax);
    }
  }
  weights_ += weights.count;
  open_.erase(function.entry);
  return &summaries_.emplace(std::move(function), count(graph, weights)).first->second;
}

// Functions whose address went elsewhere than to a loop: timers, work queues.
Result<void> ProgramReader::add_unbound_callbacks(CallCounts &counts) {
  for (auto entry : translated_.callbacks) {
    if (bound_.contains(entry))
      continue;
    CalledFunction callback{.entry = entry};
    callback.arguments.fill(HeldValue::unknown());
    for (const auto &[on, count] : *TRY(summary(callback, 1))) {
      counts[on].most = kUnboundedCount;
      beyond_runs_.insert(on);
    }
  }
  return {};
}

ProgramCallSites ProgramReader::told(const CallCounts &counts) const {
  std::map<CalledOn, std::uint64_t> sites;
  for (const auto &[at, on] : sites_)
    ++sites[on];
  ProgramCallSites told{.has_tail_calls = has_tail_calls_};
  const auto fill = [&](std::uint32_t map, bool with_lost) {
    MapCallSites all;
    for (auto [kind, calls] : {std::pair{CallKind::lookup, &all.lookups},
                               {CallKind::update, &all.updates},
                               {CallKind::remove, &all.deletes}}) {
      PathCount count;
      if (auto found = counts.find({map, kind}); found != counts.end())
        count = found->second;
      if (auto found = counts.find({kLostMap, kind}); with_lost && found != counts.end())
        count.most = add_counts(count.most, found->second.most);
      if (may_throw_ && count.most > 0) // it may end anywhere, and go on in another function
        count = {.fewest = 0, .most = kUnboundedCount};
      calls->fewest = count.fewest;
      if (count.most != kUnboundedCount)
        calls->most = count.most;
      if (auto found = sites.find({map, kind}); found != sites.end())
        calls->sites = found->second;
      all.beyond_runs |= beyond_runs_.contains({map, kind}) ||
                         (with_lost && beyond_runs_.contains({kLostMap, kind}));
    }
    return all;
  };
  for (std::uint32_t i = 0; i < translated_.map_ids.size(); ++i)
    told.maps.emplace(translated_.map_ids[i], fill(i, true));
  told.inner = fill(kInnerMap, false);
  told.lost = fill(kLostMap, false);
  told.unresolved.most = 0;
  for (const auto *all : {&told.inner, &told.lost})
    for (const auto *calls : {&all->lookups, &all->updates, &all->deletes}) {
      told.unresolved.sites += calls->sites;
      told.unresolved.fewest += calls->fewest;
      if (told.unresolved.most && calls->most)
        *told.unresolved.most += *calls->most;
      else
        told.unresolved.most.reset();
    }
  return told;
}

Result<ProgramCallSites> ProgramReader::read() {
  CalledFunction main;
  main.arguments.fill(HeldValue::unknown());
  CallCounts counts = *TRY(summary(main, 0));
  TRY(add_unbound_callbacks(counts));
  return told(counts);
}

} // namespace

Result<ProgramCallSites> find_call_sites(std::span<const std::byte> instructions,
                                         const std::function<BpfHelper(std::int32_t)> &helper_of) {
  const auto translated = TRY(TranslatedCode::of(instructions));
  return ProgramReader{translated, helper_of}.read();
}

} // namespace mapscope
