// Blocks, cycles and paths of a function; see call_sites_paths.h.
#include "kernel/bpf_maps/call_sites_paths.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <linux/bpf.h>

namespace mapscope {

namespace {

constexpr std::uint8_t kClassBits = 0x07, kOperationBits = 0xf0;
constexpr std::uint8_t kLoadConstant = BPF_LD | BPF_IMM | BPF_DW;

// Where execution can go after an instruction.
struct Successors {
  std::array<std::uint32_t, 2> next{};
  std::uint8_t count = 0;
  bool may_end = false;
  bool is_jump = false; // what follows starts a block
};

bool is_tail_call(const bpf_insn &call) {
  return call.code == (BPF_JMP | BPF_CALL) && call.src_reg == 0 && call.imm == BPF_FUNC_tail_call;
}

class SuccessorFinder {
public:
  explicit SuccessorFinder(std::span<const bpf_insn> code) : code_(code) {}

  Result<Successors> of(std::uint32_t at) const {
    const bpf_insn &instruction = code_[at];
    Successors found;
    const auto kind = instruction.code & kClassBits;
    if (kind == BPF_JMP || kind == BPF_JMP32)
      return of_jump(at);
    if (kind == BPF_LD) {
      const auto mode = instruction.code & 0xe0;
      if (instruction.code != kLoadConstant && mode != BPF_ABS && mode != BPF_IND)
        return unknown(at);
      found.may_end = instruction.code != kLoadConstant; // a packet that is too short ends it
      found.is_jump = found.may_end;
    }
    TRY(add(found, at, instruction.code == kLoadConstant ? 1 : 0));
    return found;
  }

private:
  std::unexpected<Error> unknown(std::uint32_t at) const {
    return fail(Errc::unsupported, "instruction {} has code {:#x}, which this build does not know",
                at, code_[at].code);
  }

  Result<Successors> of_jump(std::uint32_t at) const {
    const bpf_insn &instruction = code_[at];
    const bool is_narrow = (instruction.code & kClassBits) == BPF_JMP32;
    const bool has_source = (instruction.code & BPF_X) != 0;
    Successors found;
    switch (instruction.code & kOperationBits) {
    case BPF_EXIT:
      if (is_narrow)
        return unknown(at);
      found.may_end = found.is_jump = true;
      return found;
    case BPF_CALL:
      if (is_narrow || has_source)
        return unknown(at);
      found.may_end = found.is_jump = is_tail_call(instruction);
      TRY(add(found, at, 0));
      return found;
    case BPF_JA:
      if (has_source)
        return unknown(at); // through a table of jumps, since 6.19
      found.is_jump = true;
      TRY(add(found, at, is_narrow ? instruction.imm : instruction.off));
      return found;
    case 0xe0: // may_goto is other instructions by the time that a program is dumped
    case 0xf0:
      return unknown(at);
    default: // conditional
      found.is_jump = true;
      TRY(add(found, at, 0));
      TRY(add(found, at, instruction.off));
      return found;
    }
  }

  Result<void> add(Successors &found, std::uint32_t at, std::int64_t offset) const {
    const std::int64_t target = std::int64_t{at} + 1 + offset;
    if (target < 0 || target >= std::ssize(code_))
      return fail(Errc::malformed, "instruction {} leads to {} of {}", at, target, code_.size());
    found.next[found.count++] = static_cast<std::uint32_t>(target);
    return {};
  }

  std::span<const bpf_insn> code_;
};

constexpr std::uint32_t kNone = UINT32_MAX;

} // namespace

Result<CodeGraph> CodeGraph::of(std::span<const bpf_insn> code, std::uint32_t entry) {
  // Which instructions are reached, and which of them start a block.
  std::vector<bool> is_reached(code.size()), is_first(code.size());
  std::vector<std::uint32_t> reached, waiting{entry};
  is_reached[entry] = is_first[entry] = true;
  const SuccessorFinder successors{code};
  while (!waiting.empty()) {
    const auto at = waiting.back();
    waiting.pop_back();
    reached.push_back(at);
    const auto found = TRY(successors.of(at));
    for (std::uint8_t i = 0; i < found.count; ++i) {
      const auto next = found.next[i];
      if (found.is_jump || next != at + (code[at].code == kLoadConstant ? 2U : 1U))
        is_first[next] = true;
      if (!is_reached[next]) {
        is_reached[next] = true;
        waiting.push_back(next);
      }
    }
  }
  std::ranges::sort(reached);

  CodeGraph graph;
  std::vector<std::uint32_t> starts;
  std::ranges::copy_if(reached, std::back_inserter(starts),
                       [&](std::uint32_t at) { return is_first[at]; });
  const auto block_at = [&](std::uint32_t at) {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(starts, at) - starts.begin());
  };
  graph.entry_block = block_at(entry);
  for (const auto start : starts) {
    CodeBlock block{.first = start, .last = start};
    for (;;) {
      const auto found = TRY(successors.of(block.last));
      if (!found.is_jump && !is_first[found.next[0]]) {
        block.last = found.next[0];
        continue;
      }
      block.may_end = found.may_end;
      for (std::uint8_t i = 0; i < found.count; ++i)
        if (i == 0 || found.next[0] != found.next[i])
          block.next[block.next_count++] = block_at(found.next[i]);
      break;
    }
    graph.blocks.push_back(block);
  }
  return graph;
}

std::uint64_t add_counts(std::uint64_t left, std::uint64_t right) {
  // Beyond that no program runs: the kernel would have stopped it.
  constexpr std::uint64_t kCountMax = std::uint64_t{1} << 40;
  if (left == kUnboundedCount || right == kUnboundedCount || left + right > kCountMax)
    return kUnboundedCount;
  return left + right;
}

PathCounter::PathCounter(const CodeGraph &graph) : graph_(graph) { find_components(); }

// Tarjan's algorithm without recursion: a component is numbered when all that follow it are.
void PathCounter::find_components() {
  const auto count = graph_.blocks.size();
  component_.assign(count, kNone);
  std::vector<std::uint32_t> order(count, kNone), low(count), open;
  struct Visit {
    std::uint32_t block;
    std::uint8_t next;
  };
  std::vector<Visit> visits{{graph_.entry_block, 0}};
  std::uint32_t ordered = 0;
  while (!visits.empty()) {
    auto &visit = visits.back();
    const auto at = visit.block;
    if (order[at] == kNone) {
      order[at] = low[at] = ordered++;
      open.push_back(at);
    }
    const CodeBlock &block = graph_.blocks[at];
    if (visit.next < block.next_count) {
      const auto next = block.next[visit.next++];
      if (order[next] == kNone)
        visits.push_back({next, 0});
      else if (component_[next] == kNone)
        low[at] = std::min(low[at], order[next]);
      continue;
    }
    if (low[at] == order[at]) {
      const auto number = static_cast<std::uint32_t>(is_cyclic_.size());
      auto start = open.end() - 1; // mostly the only one
      while (*start != at)
        --start;
      is_cyclic_.push_back(open.end() - start > 1 ||
                           std::ranges::count(std::span{block.next}.first(block.next_count), at));
      for (auto member = start; member != open.end(); ++member) {
        component_[*member] = number;
        by_component_.push_back(*member);
      }
      open.erase(start, open.end());
    }
    visits.pop_back();
    if (!visits.empty())
      low[visits.back().block] = std::min(low[visits.back().block], low[at]);
  }
}

// From each block to an end; what follows a component is known before it.
std::uint64_t PathCounter::fewest_to_an_end() {
  constexpr int kRoundsMax = 64;
  std::vector<std::uint64_t> best(graph_.blocks.size(), kUnboundedCount);
  const auto improve = [&](std::uint32_t at) {
    const CodeBlock &block = graph_.blocks[at];
    std::uint64_t after = block.may_end ? 0 : kUnboundedCount;
    for (std::uint8_t i = 0; i < block.next_count; ++i)
      after = std::min(after, best[block.next[i]]);
    const auto here = add_counts(fewest_[at], after);
    const bool is_better = here < best[at];
    best[at] = std::min(best[at], here);
    return is_better;
  };
  for (std::size_t first = 0, last = 0; first < by_component_.size(); first = last) {
    const auto number = component_[by_component_[first]];
    while (last < by_component_.size() && component_[by_component_[last]] == number)
      ++last;
    const auto members = std::span{by_component_}.subspan(first, last - first);
    bool is_better = true;
    for (int round = 0; is_better && round < kRoundsMax; ++round) {
      is_better = false;
      for (std::size_t i = members.size(); i-- > 0;) // mostly the last leads out
        is_better |= improve(members[i]);
      is_better &= is_cyclic_[number];
    }
    if (is_better) { // so tangled a loop is left out: it may be fewer, never more
      std::uint64_t after = kUnboundedCount;
      for (auto at : members)
        after = std::min(after, graph_.blocks[at].may_end ? 0 : best_after(at, best));
      for (auto at : members)
        best[at] = after;
    }
  }
  // Where it never ends, as far as this can see, nothing is known.
  return best[graph_.entry_block] == kUnboundedCount ? 0 : best[graph_.entry_block];
}

// The fewest after leaving the component of that block from it.
std::uint64_t PathCounter::best_after(std::uint32_t at, std::span<const std::uint64_t> best) const {
  const CodeBlock &block = graph_.blocks[at];
  std::uint64_t after = kUnboundedCount;
  for (std::uint8_t i = 0; i < block.next_count; ++i)
    if (component_[block.next[i]] != component_[at])
      after = std::min(after, best[block.next[i]]);
  return after;
}

std::uint64_t PathCounter::most_from_entry() {
  std::vector<std::uint64_t> most(is_cyclic_.size(), 0); // from a component on
  for (std::size_t i = 0; i < by_component_.size();) {
    const auto number = component_[by_component_[i]];
    std::uint64_t own = 0, after = 0;
    for (; i < by_component_.size() && component_[by_component_[i]] == number; ++i) {
      const auto at = by_component_[i];
      const CodeBlock &block = graph_.blocks[at];
      own = add_counts(own, is_cyclic_[number] && most_[at] > 0 ? kUnboundedCount : most_[at]);
      for (std::uint8_t next = 0; next < block.next_count; ++next)
        if (component_[block.next[next]] != number)
          after = std::max(after, most[component_[block.next[next]]]);
    }
    most[number] = add_counts(own, after);
  }
  return most[component_[graph_.entry_block]];
}

PathCount PathCounter::count(std::span<const PathWeight> weights) {
  fewest_.assign(graph_.blocks.size(), 0);
  most_.assign(graph_.blocks.size(), 0);
  bool has_fewest = false;
  for (const PathWeight &weight : weights) {
    fewest_[weight.block] = add_counts(fewest_[weight.block], weight.fewest);
    most_[weight.block] = add_counts(most_[weight.block], weight.most);
    has_fewest |= weight.fewest > 0;
  }
  return {.fewest = has_fewest ? fewest_to_an_end() : 0, .most = most_from_entry()};
}

} // namespace mapscope
