// Where a walk begins, in the order in which roots may own what they lead to: variables of
// packages, goroutines' frames, and what the runtime keeps for itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/program_roots.h"
#include "flow/source.h"
#include "heap/owners/graph_walk.h"
#include "heap/owners/owner_patterns.h"
#include "heap/owners/stack_roots.h"
#include "heap/span_table.h"

namespace mapscope {

struct RootLists {
  std::vector<GraphRoot> variables;      // with a type
  std::vector<GraphRoot> code_variables; // whose type the code tells
  std::vector<GraphRoot> words;          // that the collector follows
  // Of goroutines' stacks; what is in one list comes after all of the one before.
  std::vector<std::vector<GraphRoot>> frames;
  std::vector<GraphRoot> runtime;        // of all variables, what the runtime keeps for itself
  std::vector<GraphRoot> running;        // stacks of goroutines that run
  std::vector<GraphRoot> runtime_frames; // of goroutines that work for the runtime alone
  std::vector<std::string> left_out;     // sentences: roots that could not be read
};

// Whether a variable of that name is the runtime's own, or a cache or pool of the standard library:
// it refers to what others own.
bool is_runtime_variable(std::string_view name);

class RootReader {
public:
  // All outlive it. `roots` may be null: then only goroutines are read.
  RootReader(AddressSpace &space, const ProgramRoots *roots, LoadBias bias, const SpanTable &spans,
             OwnerPatterns &patterns);

  // The program's variables that may hold pointers, in the order of addresses.
  std::vector<ProcessRange> data() const;

  // Errors of both: as AddressSpace::read.
  Result<> read_variables(RootLists &lists);
  // `symbolizer` may be null: then frames have no names.
  Result<> read_frames(const StackRoots &stacks, Symbolizer *symbolizer, RootLists &lists);
  // The pattern that a frame of `stacks` begins; read_frames() has been called.
  std::uint32_t pattern_of_frame(std::uint32_t frame) const { return frame_patterns_[frame]; }

private:
  struct NamedWord {
    OwnerRoot root;
    bool is_runtime = false;
  };

  void add_typed(const PackageVariable &variable, RootLists &lists);
  Result<> read_masked(const MaskedData &masked, RootLists &lists);
  Result<bool> read_bitmap(const MaskedData &masked, std::vector<std::byte> &bits);
  void add_words(std::uint64_t start, std::span<const std::byte> bytes, std::uint64_t first_bit,
                 std::span<const std::byte> bits, RootLists &lists);
  // Of a word that no typed variable covers.
  NamedWord name_of(ElfAddress word) const;
  bool is_typed(ElfAddress word) const;
  void name_frames(const StackRoots &stacks, std::span<const std::string> functions);

  AddressSpace &space_;
  const ProgramRoots *roots_;
  LoadBias bias_;
  const SpanTable &spans_;
  OwnerPatterns &patterns_;
  std::vector<ElfRange> typed_;               // what variables with a type cover, ascending
  std::vector<std::uint32_t> frame_patterns_; // by frame
};

} // namespace mapscope
