// Map types of one process by the address of their descriptor, asked for in batches.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "attribute/source_lines.h"
#include "flow/map_type.h"

namespace mapscope {

class TypeTable {
public:
  explicit TypeTable(BinaryNames &names) : names_(names) {}

  // Null: not asked yet. What it points to may be null: no map type's descriptor.
  const MapTypePtr *find(std::uint64_t descriptor) const;
  // ask() will find it out.
  void want(std::uint64_t descriptor) { wanted_.push_back(descriptor); }
  // `lines` knows the load bias.
  void ask(const SourceLines &lines);

  std::uint64_t unknown() const { return unknown_; } // descriptors without an answer
  const std::string &error() const { return error_; }

private:
  BinaryNames &names_;
  std::unordered_map<std::uint64_t, MapTypePtr> known_;
  std::vector<std::uint64_t> wanted_;
  std::uint64_t unknown_ = 0;
  std::string error_;
};

} // namespace mapscope
