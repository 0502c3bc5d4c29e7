// ProgramRoots as bytes, and back with every value checked: what the parser of an executable
// answers, and what snapshots keep. Not JSON, which would take a megabyte for each 12,000
// variables, and a tenth of a second.
#pragma once

#include <span>

#include "base/error.h"
#include "flow/binary_facts.h"
#include "flow/program_roots.h"
#include "wire/archive.h"

namespace mapscope {

// Of one program: ten times what the largest ones have.
struct RootLimits {
  static constexpr std::size_t kVariables = 1 << 18, kClosures = 1 << 18, kUses = 1 << 18;
  static constexpr std::size_t kMasked = 2, kWarnings = 64;
  static constexpr std::size_t kNameBytes = 1024;     // of one name or sentence
  static constexpr std::size_t kNamesBytes = 8 << 20; // of those of all variables, or all uses
  static constexpr std::size_t kBytes = 28 << 20;     // of all
};

// What of an executable roots can lead to.
struct RootPlaces {
  ElfRange text, types;
  static RootPlaces of(const BinaryFacts &facts) { return {facts.text, facts.types}; }
};

// Leaves out what roots_from_bytes() would refuse: hostile files can say anything. Where that is
// for being too many, a warning says so.
void drop_impossible(ProgramRoots &roots, const RootPlaces &places);

Bytes roots_to_bytes(const ProgramRoots &roots);

// Trusts nothing: counts and texts have limits, texts come out printable, types and code must lie
// in their places, addresses where a process can have something. Errors: malformed.
Result<ProgramRoots> roots_from_bytes(std::span<const std::byte> bytes, const RootPlaces &places);

} // namespace mapscope
