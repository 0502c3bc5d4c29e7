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
  std::string part = {}; // of the variable, where that is not followed as one: ".config.stores"
  bool is_slice = false; // a variable whose own type is not known, but that of its elements
};

// How a word leads from one value to another.
enum class StepKind : std::uint8_t {
  root,      // none: the value is the variable, or the frame
  field,     // of a value of known type: a pointer, slice, map, channel or func at `offset`
  interface, // the same, and the value's type is the dynamic one
  word,      // of an object of unknown type, or of a root without type; `offset` does not count
  buffer,    // from a channel to what is in it
  captured,  // from a func value to the closure; `holder_type` is the entry of its function
  entries,   // from a map to its keys and elements: group or bucket of the map type
};

class OwnerPatterns {
public:
  static constexpr std::uint32_t kNone = 0;
  // In the offset of an interface step, which is even: the interface holds a pointer, and
  // `target_type` is what that points to.
  static constexpr std::uint32_t kPointerInInterface = 1;

  // One step, and where it comes from.
  struct Step {
    std::uint32_t parent = kNone;
    std::uint32_t offset = 0;
    StepKind kind = StepKind::root;
    std::uint64_t holder_type = 0, target_type = 0;
    friend bool operator==(const Step &, const Step &) = default;
  };

  // A pattern that begins at a root.
  std::uint32_t root(const OwnerRoot &root, std::uint64_t type /* descriptor; 0: not known */);
  // What the word at `offset` of a value of `holder_type` (descriptor; 0: not known) leads to,
  // where that is of `target_type`. Of the elements of an array, `offset` is that of the first:
  // canonical_offset() of heap/owners/field_names.h, best asked once for each word of a type. A
  // step that the path has already taken leads back to the pattern that it then had, so that linked
  // lists are one pattern. The pattern itself where no more are kept.
  std::uint32_t child(std::uint32_t parent, StepKind kind, std::uint64_t holder_type,
                      std::uint32_t offset, std::uint64_t target_type);

  std::size_t size() const { return nodes_.size(); }
  std::uint64_t type(std::uint32_t pattern) const { return nodes_[pattern].step.target_type; }
  const Step &step(std::uint32_t pattern) const { return nodes_[pattern].step; }
  OwnerClass root_class(std::uint32_t pattern) const { return root_of(pattern).root_class; }
  const OwnerRoot &root_of(std::uint32_t pattern) const { return roots_[nodes_[pattern].root]; }

  // Entries of functions whose closures are on a path, and have no name yet.
  std::vector<std::uint64_t> unnamed_functions() const;
  void name_function(std::uint64_t entry, std::string name);

  // For people; see MapOwner. Fields have names from their types.
  MapOwner describe(std::uint32_t pattern, const GoTypes &types) const;
  // The last step of a pattern: ".shards[] → *Cache". The name of the root for a root.
  std::string describe_step(std::uint32_t pattern, const GoTypes &types) const;

private:
  struct Node {
    Step step;
    std::uint32_t root = 0;
    std::uint32_t depth = 0;
    std::uint32_t leads_to = kNone; // itself, or the pattern that such a step leads back to
  };

  std::vector<std::uint32_t> path_to(std::uint32_t pattern) const; // from the root on
  std::uint32_t find(const Step &step) const;                      // kNone: not there
  std::uint32_t earlier(const Step &step) const; // on the path; kNone: it is a new one
  std::uint32_t add(const Node &node);
  void grow();

  std::vector<Node> nodes_{Node{}};
  std::vector<OwnerRoot> roots_{OwnerRoot{}};
  std::unordered_map<std::string, std::uint32_t> root_numbers_; // by class and name
  // Open addressing: numbers of nodes by the hash of their steps; kNone: free.
  std::vector<std::uint32_t> slots_ = std::vector<std::uint32_t>(1024, kNone);
  std::unordered_map<std::uint64_t, std::string> functions_; // by entry
};

// The name of the word at `offset` of a value of that type: ".shards[].entries" where
// `with_indexes` is false, else ".shards[3].entries". Empty: the type has no fields there.
std::string field_path(const GoTypes &types, std::uint64_t type, std::uint64_t offset,
                       bool with_indexes);

} // namespace mapscope
