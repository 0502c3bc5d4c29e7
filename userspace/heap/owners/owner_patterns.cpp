// A step is found again by what it is, in a table of numbers.
#include "heap/owners/owner_patterns.h"

#include <algorithm>

#include "heap/owners/field_names.h"

namespace mapscope {
namespace {

constexpr std::size_t kPatternsMax = 1 << 20;
// Types that refer to each other in many ways have more paths than anybody reads: from here on, a
// path that comes to a type for the second time is taken for the one that did so first.
constexpr std::size_t kPatternsMany = 1 << 16;
constexpr std::uint32_t kDepthMany = 24, kDepthMax = 200;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

std::uint64_t hash_of(const OwnerPatterns::Step &step) {
  std::uint64_t hash = mix(step.holder_type, step.target_type);
  return mix(hash, std::uint64_t{step.parent} << 32 | step.offset) ^
         static_cast<std::uint64_t>(step.kind) * 0xff51afd7ed558ccd;
}

} // namespace

std::uint32_t OwnerPatterns::find(const Step &step) const {
  for (std::uint64_t slot = hash_of(step);; ++slot) {
    const std::uint32_t number = slots_[slot & (slots_.size() - 1)];
    if (number == kNone || nodes_[number].step == step)
      return number;
  }
}

std::uint32_t OwnerPatterns::add(const Node &node) {
  if (2 * nodes_.size() >= slots_.size())
    grow();
  const auto number = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back(node);
  if (node.leads_to == kNone)
    nodes_.back().leads_to = number;
  std::uint64_t slot = hash_of(node.step);
  while (slots_[slot & (slots_.size() - 1)] != kNone)
    ++slot;
  slots_[slot & (slots_.size() - 1)] = number;
  return nodes_.back().leads_to;
}

void OwnerPatterns::grow() {
  std::vector<std::uint32_t> slots(2 * slots_.size(), kNone);
  for (std::uint32_t number = 1; number < nodes_.size(); ++number) {
    std::uint64_t slot = hash_of(nodes_[number].step);
    while (slots[slot & (slots.size() - 1)] != kNone)
      ++slot;
    slots[slot & (slots.size() - 1)] = number;
  }
  slots_ = std::move(slots);
}

std::uint32_t OwnerPatterns::root(const OwnerRoot &root, std::uint64_t type) {
  std::string key = root.name;
  key += root.part;
  key += static_cast<char>(root.root_class);
  key += root.is_slice ? 's' : 'v';
  const auto [place, is_new] =
      root_numbers_.try_emplace(std::move(key), static_cast<std::uint32_t>(roots_.size()));
  if (is_new)
    roots_.push_back(root);
  // The number of the root stands where other steps have the type that holds them.
  const Step step{.kind = StepKind::root, .holder_type = place->second, .target_type = type};
  if (const std::uint32_t known = find(step); known != kNone)
    return known;
  return add({.step = step, .root = place->second});
}

std::uint32_t OwnerPatterns::earlier(const Step &step) const {
  const Node &parent = nodes_[step.parent];
  const bool are_many = nodes_.size() >= kPatternsMany || parent.depth >= kDepthMany;
  for (std::uint32_t at = step.parent; nodes_[at].step.kind != StepKind::root && at != kNone;
       at = nodes_[at].step.parent) {
    const Step &taken = nodes_[at].step;
    // What a variable points to is no part of an unknown object, as what that points to is.
    if (step.kind == StepKind::word && nodes_[taken.parent].step.kind == StepKind::root)
      continue;
    if (taken.kind == step.kind && taken.target_type == step.target_type &&
        (are_many || (taken.holder_type == step.holder_type && taken.offset == step.offset)))
      return at;
  }
  return nodes_.size() >= kPatternsMax || parent.depth >= kDepthMax ? step.parent : kNone;
}

std::uint32_t OwnerPatterns::child(std::uint32_t parent, StepKind kind, std::uint64_t holder_type,
                                   std::uint32_t offset, std::uint64_t target_type) {
  const Step step{parent, kind == StepKind::word ? 0 : offset, kind, holder_type, target_type};
  if (const std::uint32_t known = find(step); known != kNone)
    return nodes_[known].leads_to;
  const std::uint32_t back = earlier(step);
  if (back != kNone && nodes_.size() >= kPatternsMax)
    return back; // not remembered, since there is no room for that either
  const Node &before = nodes_[parent];
  return add({.step = step, .root = before.root, .depth = before.depth + 1, .leads_to = back});
}

std::vector<std::uint32_t> OwnerPatterns::path_to(std::uint32_t pattern) const {
  std::vector<std::uint32_t> path;
  for (; pattern != kNone; pattern = nodes_[pattern].step.parent)
    path.push_back(pattern);
  std::ranges::reverse(path);
  return path;
}

std::vector<std::uint64_t> OwnerPatterns::unnamed_functions() const {
  std::vector<std::uint64_t> entries;
  for (const Node &node : nodes_)
    if (node.step.kind == StepKind::captured && node.step.holder_type != 0 &&
        !functions_.contains(node.step.holder_type))
      entries.push_back(node.step.holder_type);
  std::ranges::sort(entries);
  const auto repeated = std::ranges::unique(entries);
  entries.erase(repeated.begin(), repeated.end());
  return entries;
}

void OwnerPatterns::name_function(std::uint64_t entry, std::string name) {
  functions_.insert_or_assign(entry, std::move(name));
}

std::string field_path(const GoTypes &types, std::uint64_t type, std::uint64_t offset,
                       bool with_indexes) {
  const auto place = field_at(types, type, offset, with_indexes);
  return place ? place->path : std::string{};
}

} // namespace mapscope
