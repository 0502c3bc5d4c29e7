// What is known of one Go executable, as plain data: made by binary/ in a confined child,
// shown by `inspect`, turned into probes by attach/, kept in recordings.
//
// Every address is a link-time address (ElfAddress): in a position-independent executable
// the load bias has to be added, see base/address.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "bpf/contract/events.h"

namespace mapscope {

enum class Machine { amd64, arm64 };

// Of this process, and so of every process that it can watch.
constexpr Machine this_machine() {
#if defined(__x86_64__)
  return Machine::amd64;
#else
  return Machine::arm64;
#endif
}

// "go1.26.8-X:nogreenteagc" is {1, 26, 8}. A development version has the numbers of the release
// that it leads to.
struct GoVersion {
  unsigned major = 0, minor = 0, patch = 0;
  friend auto operator<=>(GoVersion, GoVersion) = default;
};

// Classic: buckets with overflow (until 1.23). Swiss: groups with control words (1.24 on).
enum class MapImplementation { none, classic, swiss };

// How the offsets of runtime structures are known.
enum class LayoutSource {
  dwarf,   // read from this binary
  table,   // generated from the toolchain of the same version
  nearest, // the table of another patch release of the same minor version
  none,
};

// Offsets and sizes of runtime structures: "runtime.g.goid" -> 152, "runtime.g" -> its size.
struct RuntimeLayout {
  LayoutSource source = LayoutSource::none;
  std::string version; // which toolchain the table entry was made from
  std::map<std::string, std::uint32_t, std::less<>> offsets;

  std::optional<std::uint32_t> find(std::string_view name) const {
    auto entry = offsets.find(name);
    return entry == offsets.end() ? std::nullopt : std::optional{entry->second};
  }
};

// One return instruction of a function.
struct ReturnPoint {
  ElfAddress address;
  FileOffset offset;
};

// A runtime function that a probe can be placed on.
struct ProbePoint {
  std::string function; // as pclntab names it
  ElfAddress entry;     // its first instruction
  std::uint64_t size_bytes = 0;
  ElfAddress address; // behind the stack check: where the probe goes
  FileOffset offset;  // of `address` in the file
  // Bytes that must stand at `offset`; compared again before the probe is placed, since a
  // probe inside an instruction kills the target.
  std::vector<std::uint8_t> expected;
  bool emulated = false; // the kernel emulates this instruction: 15 times cheaper
  // It is the conditional jump to runtime.morestack (Go <= 1.20, arm64): when it is about to
  // jump, the function is entered again afterwards, and only that time counts.
  bool on_stack_check = false;
  std::vector<ReturnPoint> returns;
};

// A probed function whose body the compiler also put into another one (PGO): a probe on
// its own address does not see these.
struct InlinedCopy {
  std::string function; // what was inlined
  std::string into;     // the function whose code it is in
  ElfAddress address;   // the first instruction of the copy
};

struct FunctionRange {
  std::string function;
  ElfRange range;
};

// Variables of the Go runtime that tell of its heap. 0: not found; what is found may be wrong,
// since it comes from code where symbols are stripped, so readers check it.
struct RuntimeVariables {
  ElfAddress heap;                // runtime.mheap_
  ElfAddress gc_controller;       // runtime.gcController
  ElfAddress statistics;          // runtime.memstats
  ElfAddress hash_keys;           // runtime.aeskeysched, 128 random bytes of each process (amd64)
  ElfAddress memory_profile_rate; // runtime.MemProfileRate
  ElfAddress memory_buckets;      // runtime.mbuckets, a list of all stacks that it sampled
  friend bool operator==(const RuntimeVariables &, const RuntimeVariables &) = default;
};

struct BinaryFacts {
  std::string path;
  std::string build_id; // hex of the GNU build id, else Go's own; empty: none
  std::uint64_t file_size_bytes = 0;
  Machine machine = Machine::amd64;
  bool is_pie = false;
  bool is_stripped = false; // no .symtab
  bool has_dwarf = false;
  ElfAddress entry;        // ELF e_entry
  FileOffset entry_offset; // of that instruction in the file

  std::string go_version; // "go1.26.8"
  GoVersion version;
  // Its minor release is one that mapscope was made for. Of another, what the runtime does can only
  // be supposed: what would be wrong if it does something else is not said.
  bool is_known_release = true;
  std::vector<std::string> experiments;              // "nogreenteagc"
  std::map<std::string, std::string> build_settings; // "CGO_ENABLED" -> "1", "-pgo" -> path
  std::string main_module;                           // "github.com/prometheus/prometheus"
  bool uses_cgo = false;                             // linked with C code, as seen in the binary
  bool uses_pgo = false;

  MapImplementation map_implementation = MapImplementation::none;
  std::uint64_t function_count = 0; // in pclntab
  ElfRange text;                    // Go's own code, to runtime.etext
  ElfRange runtime_text;            // from the start of text through package runtime
  ElfRange syscall6;                // where user code enters the kernel from; empty before 1.19
  ElfAddress systemstack_switch;    // runtime.systemstack_switch
  ElfAddress module_data;           // runtime.firstmoduledata
  ElfAddress all_goroutines;        // runtime.allgs, a slice of *g; 0: not known
  std::optional<std::int32_t> tls_offset; // of g from the FS base (amd64)
  RuntimeVariables variables;
  std::vector<ElfRange> zeroed_data; // .bss and .noptrbss: where most variables of the runtime lie
  ElfRange types;                    // type descriptors and their names; empty: not known

  RuntimeLayout layout;

  // By what they tell. Functions that the binary does not have are absent.
  std::map<map_operation, std::vector<ProbePoint>> operations;
  std::map<heap_request, ProbePoint> heap_requests;
  // runtime.fatal, internal/runtime/maps.fatal, runtime.throw, runtime.gopanic: see
  // go-runtime notes on map misuse. By function name.
  std::map<std::string, ProbePoint> misuse;
  // runtime.mapassign and its variants by key type: probed for moments only, see
  // pipeline/map_learner.h.
  std::vector<ProbePoint> map_writes;
  std::vector<InlinedCopy> inlined_copies;
  std::vector<FunctionRange> map_functions; // all that create, grow, clear, copy, write or delete
  std::vector<ElfRange> map_ranges;         // these merged to at most four, for the kernel

  std::vector<std::string> warnings; // sentences: what mapscope cannot see in this binary
};

} // namespace mapscope
