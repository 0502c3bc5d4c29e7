// The table that every Go program carries for its own stack traces: functions, their names,
// and for each instruction the source line and what was inlined there.
//
// Strip does not remove it. Formats: Go 1.17 (magic 0xfffffffa), 1.18 and 1.19 (0xfffffff0),
// 1.20 on (0xfffffff1). Go source: runtime/symtab.go, internal/abi/symtab.go,
// cmd/link/internal/ld/pcln.go.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/byte_reader.h"
#include "base/error.h"
#include "binary/elf_file.h"
#include "flow/source.h"

namespace mapscope {

// A function as pclntab has it. An assembly function and the wrapper that the linker makes
// for it have the same name (there is no ".abi0" here). `range` reaches to the next function,
// padding included.
struct FunctionView {
  std::string_view name;
  ElfRange range;
  std::uint32_t index = 0; // in address order
};

// A call whose callee's body stands in the caller's code. A callee that is itself inlined
// into another inlined one appears as well, with its own body.
struct InlinedCall {
  std::string_view name; // of the function that was inlined
  ElfAddress first_pc;   // lowest address of its body here; a body may be in pieces
  ElfAddress parent_pc;  // an instruction of the caller, at the call's line
};

// Where a table may be: its header, and all bytes from there to the end of its section.
struct PclntabCandidate {
  ElfAddress address;
  std::span<const std::byte> bytes;
};

// By section name, by symbol, or else every place with a plausible header, best guess first.
// Empty: none. External linking hides the table inside .data.rel.ro until Go 1.25.
std::vector<PclntabCandidate> find_pclntab(const ElfFile &elf);

class Pclntab {
public:
  // `elf` must outlive the result. Errors: malformed, unsupported (a header that no known Go
  // version writes).
  static Result<Pclntab> parse(const ElfFile &elf, const PclntabCandidate &where,
                               const ModuleData &module);

  // All functions in address order, without overlap.
  std::span<const FunctionView> functions() const { return functions_; }

  // The function whose range has this address.
  const FunctionView *function_at(ElfAddress address) const;

  // True for what the compiler or linker made to adapt a call (abi.FuncIDWrapper).
  Result<bool> is_wrapper(const FunctionView &function) const;

  // See GoBinary::inlined_calls.
  Result<std::vector<InlinedCall>> inlined_calls(const FunctionView &function) const;

  // The logical frames of one address; empty outside of Go text.
  Result<SourceFrames> frames_at(ElfAddress address) const;

private:
  Pclntab() = default;
  // ...
};

} // namespace mapscope
