// What an executable tells of the places that the object graph of its processes begins at: package
// variables with their types, closures, and which words of its data the collector follows. Made by
// binary/ in a confined child, used by heap/owners/, kept in snapshots.
//
// As in BinaryFacts, every address is a link-time address.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"

namespace mapscope {

// How a variable is known.
enum class RootEvidence : std::uint8_t {
  dwarf,  // name and type
  symbol, // name and size
  code,   // type: it is an operand of a call of a map function, next to its map type
};

struct PackageVariable {
  std::string name; // "main.store"; of a part of one, "main.config.stores"; code: may be empty
  ElfAddress address;
  ElfAddress type; // its descriptor; 0: not known, or it was not linked
  // Where `type` is 0: the descriptor of what each pointer points to, or, with `is_slice`, of the
  // elements of each slice (24 bytes). 0: not known. The linker drops descriptors of pointers and
  // slices that no interface holds, and keeps that of what they point to.
  ElfAddress pointee;
  bool is_slice = false;
  std::uint64_t count = 1;      // values, pointers or slices, one behind the other
  std::uint64_t size_bytes = 0; // of all of them
  RootEvidence evidence = RootEvidence::symbol;
  friend bool operator==(const PackageVariable &, const PackageVariable &) = default;
};

// The body of a closure, and the struct that its func values point to: its first word is `entry`,
// and what it captured follows. Go source: cmd/compile/internal/typecheck, ClosureType.
struct ClosureCode {
  ElfAddress entry; // of the function
  ElfAddress type;  // descriptor of the struct
  friend auto operator<=>(const ClosureCode &, const ClosureCode &) = default;
};

// Data with a bitmap of the words that the collector follows: bit i is word i of the range. The
// runtime makes it when it starts; then n is the number of words of the range, or else the field
// is not where it is thought to be.
// Go source: runtime/symtab.go, moduledata.gcdatamask and gcbssmask.
struct MaskedData {
  ElfRange range;   // .data or .bss
  ElfAddress field; // of the bitvector {n int32, bytes *uint8} in the module data
  friend bool operator==(const MaskedData &, const MaskedData &) = default;
};

// Code that uses a word of data, for programs whose variables have no names. Code reaches the
// fields of a variable by its first word too: a word without a use can belong to the variable in
// front of it.
struct DataUse {
  ElfAddress address;
  std::string function;    // one that uses it, of user code if there is one: "main.addSession"
  bool is_runtime = false; // no other code than the runtime's does
  friend bool operator==(const DataUse &, const DataUse &) = default;
};

struct ProgramRoots {
  std::vector<PackageVariable> variables; // in the order of addresses
  std::vector<ClosureCode> closures;      // in the order of entries
  std::vector<MaskedData> masked;
  std::vector<DataUse> uses;         // in the order of addresses; empty where variables have names
  std::vector<std::string> warnings; // sentences: what could not be read
  friend bool operator==(const ProgramRoots &, const ProgramRoots &) = default;
};

// Who can tell the roots of one executable: binary/'s confined child, and snapshots, which hold
// what it said.
class RootSource {
public:
  virtual ~RootSource() = default;
  // Asked for once: it takes up to half a second for a binary of 150 MB.
  virtual Result<const ProgramRoots *> roots() = 0;
};

} // namespace mapscope
