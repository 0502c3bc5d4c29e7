// The parts of a function between jumps, and the fewest and the most of something on any path
// through them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"

struct bpf_insn;

namespace mapscope {

// Instructions that are only entered at the first and left after the last.
struct CodeBlock {
  std::uint32_t first = 0, last = 0;
  std::array<std::uint32_t, 2> next{}; // indexes of blocks
  std::uint8_t next_count = 0;
  bool may_end = false; // the function ends here, perhaps
};

// Of the function that starts at instruction `entry`; its blocks are ordered by their place, with
// that of the entry at `entry_block`. A tail call may be its end. Errors: malformed, unsupported.
struct CodeGraph {
  std::vector<CodeBlock> blocks;
  std::uint32_t entry_block = 0;

  static Result<CodeGraph> of(std::span<const bpf_insn> code, std::uint32_t entry);
};

inline constexpr std::uint64_t kUnboundedCount = UINT64_MAX;

struct PathWeight {
  std::uint32_t block = 0;
  std::uint64_t fewest = 0, most = 0; // kUnboundedCount
};

struct PathCount {
  std::uint64_t fewest = 0, most = 0; // kUnboundedCount
};

std::uint64_t add_counts(std::uint64_t left, std::uint64_t right);

class PathCounter {
public:
  explicit PathCounter(const CodeGraph &graph);

  // From the entry to any end; several weights may be of one block.
  PathCount count(std::span<const PathWeight> weights);

private:
  void find_components();
  std::uint64_t fewest_to_an_end();
  std::uint64_t best_after(std::uint32_t at, std::span<const std::uint64_t> best) const;
  std::uint64_t most_from_entry();

  const CodeGraph &graph_;
  std::vector<std::uint32_t> component_; // of each block; those that come later have lower numbers
  std::vector<std::uint32_t> by_component_;  // blocks, lowest component first
  std::vector<bool> is_cyclic_;              // by component
  std::vector<std::uint64_t> fewest_, most_; // by block: what it weighs
};

} // namespace mapscope
