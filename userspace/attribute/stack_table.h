// Stacks that the kernel side sent once, for the events that name them by id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "attribute/source_lines.h"
#include "base/lru_table.h"
#include "bpf/contract/events.h"
#include "flow/trace_event.h"

namespace mapscope {

// The probed instruction, then return addresses; and what they mean, once name() was called
// after the first use.
struct NamedStack {
  std::vector<ProcessAddress> pcs;
  CallStack call_stack;
  // "growth": what the innermost function of one map operation says; views a literal.
  std::optional<std::string_view> map_operation;
  bool is_used = false;
};
using NamedStackPtr = std::shared_ptr<const NamedStack>;

// The part of it that events carry.
inline CallStackPtr call_stack_of(const NamedStackPtr &stack) {
  return stack ? CallStackPtr{stack, &stack->call_stack} : nullptr;
}

class StackTable {
public:
  explicit StackTable(std::size_t stacks_max) : stacks_(stacks_max) {}

  void add(const stack_event &event);
  // For an event that names it. Null: never received, or forgotten.
  NamedStackPtr use(std::uint64_t id);

  // Names the stacks that were used for the first time: want() before `lines` is asked, then
  // name().
  void want(SourceLines &lines) const;
  void name(const SourceLines &lines);

  std::uint64_t forgotten() const { return stacks_.forgotten(); }

private:
  struct HashId {
    std::uint64_t operator()(std::uint64_t id) const { return mix_bits(id); }
  };

  LruTable<std::uint64_t, std::shared_ptr<NamedStack>, HashId> stacks_;
  std::vector<std::shared_ptr<NamedStack>> unnamed_;
};

// The instruction that a frame is about; depth 0 is the probed one.
std::optional<ElfAddress> frame_site(const NamedStack &stack, std::size_t depth,
                                     const SourceLines &lines);

} // namespace mapscope
