// A program with what a walk over its objects needs: its roots, spans, types, and the maps of a
// census.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binary/go_binary.h"
#include "binary/program_roots.h"
#include "heap/census.h"
#include "heap/owners/graph_walk.h"
#include "support/census_program.h"
#include "support/file_content.h"

namespace mapscope::testing {

// Walks from the package variables that have a type.
class Walked {
public:
  Walked(CensusProgram &program, const std::string &path) { make(program, path); }

  // Errors: as GraphWalk::follow.
  Result<> follow(const WalkLimits &limits = {}) {
    walk = std::make_unique<GraphWalk>(*space, layout, *spans, data, *types, patterns, addresses,
                                       limits);
    return walk->follow(roots_);
  }

  bool is_in_census(std::uint64_t map) const { return std::ranges::binary_search(addresses, map); }
  // The name of the map type that the word has which leads to a map; empty: it has none.
  std::string type_of(std::uint64_t map) const {
    const auto type = types->types().map_type({witness(map).type});
    return type ? type->type.name : std::string{};
  }
  MapWitness witness(std::uint64_t map) const {
    const auto found = std::ranges::lower_bound(addresses, map);
    return found == addresses.end() || *found != map
               ? MapWitness{}
               : walk->witnesses()[static_cast<std::size_t>(found - addresses.begin())];
  }

  std::vector<std::uint64_t> addresses; // of maps
  AddressSpace *space = nullptr;
  ProgramRoots roots;
  HeapLayout layout;
  std::optional<SpanTable> spans;
  std::optional<DynamicTypes> types;
  OwnerPatterns patterns;
  std::vector<ProcessRange> data;
  std::unique_ptr<GraphWalk> walk;
  std::string problem; // empty: none

private:
  void make(CensusProgram &program, const std::string &path) {
    space = &program.memory();
    const auto file = file_bytes(path);
    auto binary = GoBinary::open(file, path);
    auto read =
        binary ? read_roots(*binary) : Result<ProgramRoots>{std::unexpected(binary.error())};
    auto laid_out = HeapLayout::from(program.facts);
    auto census = take_census(program.memory(), program.anchors, program.facts);
    if (!read || !laid_out || !census) {
      problem = !read ? read.error().message() : "no layout, or no census";
      return;
    }
    roots = *std::move(read);
    layout = *laid_out;
    for (std::size_t i = 0; i < census->maps.size(); ++i)
      addresses.push_back(census->maps[i].address.value);
    std::ranges::sort(addresses);
    auto heap = find_heap(program.memory(), program.anchors, layout);
    auto table = heap ? SpanTable::read(program.memory(), *heap, layout)
                      : Result<SpanTable>{std::unexpected(heap.error())};
    auto go_types = GoTypes::read(program.memory(), program.anchors.types, program.facts);
    if (!table || !go_types) {
      problem = "no spans, or no types";
      return;
    }
    spans.emplace(*std::move(table));
    const LoadBias bias{program.anchors.types.start.value - program.facts.types.start.value};
    types.emplace(program.memory(), *go_types, layout, *spans, &roots, bias);
    for (const MaskedData &masked : roots.masked)
      data.push_back({bias.to_process(masked.range.start), masked.range.size_bytes});
    add_typed_roots(bias);
  }

  void add_typed_roots(LoadBias bias) {
    for (const PackageVariable &variable : roots.variables) {
      const bool is_value = variable.type.value != 0;
      const ElfAddress type = is_value ? variable.type : variable.pointee;
      if (type.value == 0)
        continue;
      const std::uint64_t descriptor = bias.to_process(type).value;
      roots_.push_back({.address = bias.to_process(variable.address).value,
                        .type = descriptor,
                        .form = is_value            ? RootForm::value
                                : variable.is_slice ? RootForm::slice
                                                    : RootForm::pointer,
                        .count = variable.count,
                        .pattern = patterns.root({OwnerClass::variable, variable.name},
                                                 is_value ? descriptor : 0)});
    }
  }

  std::vector<GraphRoot> roots_;
};

} // namespace mapscope::testing
