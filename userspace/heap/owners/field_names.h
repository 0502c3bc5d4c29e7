// What the words of a value are called in Go: ".shards[].entries" of a struct, "[]" and "[key]" of
// what a map holds. Also names of types and functions as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "heap/go_types.h"

namespace mapscope {

// A word of a value of some type.
struct FieldPlace {
  std::string path;               // empty: the value itself
  GoKind kind = GoKind::invalid;  // of the field that the word belongs to
  std::uint64_t type = 0;         // its descriptor
  std::uint64_t offset = 0;       // of the word in it
  std::uint64_t canonical = 0;    // of the word in the value, had all arrays one element
  bool is_key = false;            // in a key of a map, which no expression of Go names
  bool is_implementation = false; // of a group or bucket, and no entry: how they are chained
};

// `with_indexes`: "[3]" where it says "[]" else. Nothing: the type has no field there.
std::optional<FieldPlace> field_at(const GoTypes &types, std::uint64_t type, std::uint64_t offset,
                                   bool with_indexes = false);

// The offset that stands for all elements of an array: that of the first. What is no field stays
// what it is.
std::uint64_t canonical_offset(const GoTypes &types, std::uint64_t type, std::uint64_t offset);

// "main.Cache"; empty: not known.
std::string type_name(const GoTypes &types, std::uint64_t type);
// Whether a type has a name of its own, as "main.Cache" has, and "[]int" has not.
bool is_named(std::string_view type_name);

// Package paths as Go's own types print them: "github.com/a/b.T" is "b.T", in type arguments too.
std::string with_short_packages(std::string_view name);
// Of a function, variable or type with short packages: "b". Empty: it has none.
std::string_view package_of(std::string_view name);

} // namespace mapscope
