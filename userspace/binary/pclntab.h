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
#include "binary/module_data.h"
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

// By section name, by symbol, or else every place with a plausible header. Empty: none.
// External linking hides the table inside .data.rel.ro until Go 1.25.
std::vector<PclntabCandidate> find_pclntab(const ElfFile &elf);

class Pclntab {
public:
  // `elf` must outlive the result. Errors: malformed, unsupported (a header that no known Go
  // version writes).
  static Result<Pclntab> parse(const ElfFile &elf, const PclntabCandidate &where,
                               const ModuleData &module);

  // Whether a header of a known format begins with this.
  static bool is_known_magic(std::uint32_t magic) { return format_of(magic) != nullptr; }

  // All functions in address order, without overlap; at least one.
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
  // Where the fields of a function's record and of an inlined call lie, in one format.
  struct Format;

  // A function's record (runtime._func): offsets into the other tables.
  struct Record {
    ByteReader bytes;
    ElfAddress address;
  };

  Pclntab(const ElfFile &elf, const Format &format) : elf_(&elf), format_(&format) {}

  static const Format *format_of(std::uint32_t magic);
  Result<> read_header(const PclntabCandidate &where);
  Result<> read_functions(std::uint64_t count, ElfAddress text);
  Result<Record> record(const FunctionView &function) const;
  Result<std::string_view> name_at(std::uint32_t offset) const;
  Result<std::string_view> file_name(const Record &record, std::int32_t number) const;

  // Calls visit(start, end, value) for the pieces of a pc-value table, in bytes from the
  // function's entry, until visit says false.
  template <typename Visit>
  Result<> for_each_value(std::uint32_t table, std::uint64_t size_bytes, Visit visit) const;
  // The value at a distance from the entry; -1: none.
  Result<std::int32_t> value_at(std::uint32_t table, std::uint64_t distance) const;

  // The table that gives each instruction an index into the inline tree; 0: no such table.
  Result<std::uint32_t> inline_index_table(const Record &record) const;
  // The inline tree itself; absent where nothing was inlined.
  Result<std::optional<ElfAddress>> inline_tree(const Record &record) const;

  struct InlineNode {
    std::string_view name;
    std::uint64_t parent_distance = 0; // of parent_pc, from the function's entry
  };
  Result<InlineNode> inline_node(ElfAddress tree, std::int32_t index) const;

  const ElfFile *elf_;
  const Format *format_;
  std::uint32_t quantum_ = 1;  // bytes per step of a pc-value table
  ElfAddress function_data_;   // see ModuleData
  ElfAddress records_address_; // of function_table_
  ByteReader names_{{}};
  ByteReader unit_files_{{}}; // per compilation unit: offsets into files_
  ByteReader files_{{}};
  ByteReader values_{{}};
  ByteReader function_table_{{}}; // entries and offsets of records, then the records
  std::vector<FunctionView> functions_;
};

} // namespace mapscope
