// Owner paths without addresses and indexes, each kept once: a tree whose nodes are steps. A
// million maps have some hundred of them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/map_owner.h"
#include "heap/go_types.h"

namespace mapscope {

// What a root is called. Roots of one name and class are one.
struct OwnerRoot {
  OwnerClass root_class = OwnerClass::none;
  std::string name;
  StepEvidence evidence = StepEvidence::symbol;
};

// How a word leads from one value to another.
enum class StepKind : std::uint8_t {
  root,      // none: the value is the variable, or the frame
  field,     // of a value of known type: a pointer, slice, map, channel or func at `offset`
  interface, // the same, and the value's type is the dynamic one
  word,      // of an object of unknown type; `offset` does not count
  buffer,    // from a channel to what is in it
  captured,  // from a func value to the closure
  entries,   // from a map to its keys and elements: group or bucket of the map type
};

class OwnerPatterns {
public:
  static constexpr std::uint32_t kNone = 0;

  // A pattern that begins at a root.
  std::uint32_t root(const OwnerRoot &root, std::uint64_t type /* descriptor; 0: not known */);
  // What the word at `offset` of a value of `holder_type` (descriptor; 0: not known) leads to,
  // where that is of `target_type`. A step that the path has already taken leads back to the
  // pattern that it then had, so that linked lists are one pattern. The pattern itself where no
  // more are kept.
  std::uint32_t child(std::uint32_t parent, StepKind kind, std::uint64_t holder_type,
                      std::uint32_t offset, std::uint64_t target_type);

  std::size_t size() const { return nodes_.size(); }
  std::uint64_t type(std::uint32_t pattern) const { return nodes_[pattern].target_type; }
  OwnerClass root_class(std::uint32_t pattern) const;
  const OwnerRoot &root_of(std::uint32_t pattern) const;

  // For people; see MapOwner. Fields have names from their types.
  MapOwner describe(std::uint32_t pattern, const GoTypes &types) const;

private:
  struct Node {
    std::uint32_t parent = kNone, root = 0, depth = 0;
    std::uint32_t offset = 0;
    StepKind kind = StepKind::root;
    std::uint64_t holder_type = 0, target_type = 0;
  };

  std::vector<Node> nodes_{Node{}};
  std::vector<OwnerRoot> roots_{OwnerRoot{}};
  std::unordered_multimap<std::uint64_t, std::uint32_t> index_; // by hash of what a node is
};

// The name of the word at `offset` of a value of that type: ".shards[].entries" where
// `with_indexes` is false, else ".shards[3].entries". Empty: the type has no fields there.
std::string field_path(const GoTypes &types, std::uint64_t type, std::uint64_t offset,
                       bool with_indexes);

} // namespace mapscope
