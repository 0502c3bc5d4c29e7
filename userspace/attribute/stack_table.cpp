// Interns stacks by the kernel side's id.
#include "attribute/stack_table.h"

#include <algorithm>

#include "attribute/go_names.h"

namespace mapscope {
namespace {

std::optional<std::string_view> map_operation_on(const std::vector<SourceFrames> &frames) {
  for (const SourceFrames &logical : frames)
    for (const SourceFrame &frame : logical)
      if (auto operation = operation_of_function(frame.function))
        return operation;
  return std::nullopt;
}

} // namespace

void StackTable::add(const stack_event &event) {
  auto end = std::ranges::find(event.frames, 0U);
  auto stack = std::make_shared<NamedStack>();
  for (auto pc = std::begin(event.frames); pc != end; ++pc)
    stack->pcs.push_back({*pc});
  stack->call_stack.id = event.id;
  stack->call_stack.is_complete = stack->pcs.size() < EVENT_STACK_FRAMES;
  auto *known = stacks_.find(event.id);
  if (known == nullptr)
    stacks_.insert(event.id, std::move(stack));
  else if ((*known)->pcs != stack->pcs) // sent again, it is mostly the same
    *known = std::move(stack);
}

NamedStackPtr StackTable::use(std::uint64_t id) {
  auto *stack = stacks_.find(id);
  if (stack == nullptr)
    return nullptr;
  if (!(*stack)->is_used) {
    (*stack)->is_used = true;
    unnamed_.push_back(*stack);
  }
  return *stack;
}

void StackTable::want(SourceLines &lines) const {
  for (const auto &stack : unnamed_)
    for (std::size_t depth = 0; depth < stack->pcs.size(); ++depth)
      if (auto site = frame_site(*stack, depth, lines))
        lines.want(*site);
}

void StackTable::name(const SourceLines &lines) {
  for (const auto &stack : unnamed_) {
    CallStack &named = stack->call_stack;
    named.frames.reserve(stack->pcs.size());
    for (std::size_t depth = 0; depth < stack->pcs.size(); ++depth) {
      auto site = frame_site(*stack, depth, lines);
      named.frames.push_back(site ? lines.at(*site) : SourceFrames{});
    }
    named.site = user_frame(named.frames);
    stack->map_operation = map_operation_on(named.frames);
  }
  unnamed_.clear();
}

std::optional<ElfAddress> frame_site(const NamedStack &stack, std::size_t depth,
                                     const SourceLines &lines) {
  return depth == 0 ? lines.to_elf(stack.pcs[0]) : lines.call_site(stack.pcs[depth]);
}

} // namespace mapscope
