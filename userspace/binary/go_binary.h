// One opened Go executable: the facts of it that other code derives its own from.
//
// Reads untrusted bytes, so it runs in a confined child (confined_parser.h) unless a test or
// a fuzzer calls it. Views that it hands out live as long as the bytes it was opened on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "binary/build_info.h"
#include "binary/elf_file.h"
#include "binary/module_data.h"
#include "binary/pclntab.h"
#include "flow/source.h"

namespace mapscope {

class GoBinary {
public:
  // `file` must outlive the result; `path` is for messages only. Errors: malformed,
  // unsupported (another machine, Go before 1.17, a plugin), not_found (no Go in it).
  static Result<GoBinary> open(std::span<const std::byte> file, std::string path);

  const std::string &path() const { return path_; }
  const ElfFile &elf() const { return *elf_; } // sections, symbols, read_data, read_pointer
  const BuildInfo &build_info() const { return build_info_; }
  const ModuleData &module_data() const { return module_data_; }
  const Pclntab &pclntab() const { return pclntab_; }

  // All functions, in address order.
  std::span<const FunctionView> functions() const { return pclntab_.functions(); }

  // By exact name. Two functions of a name (assembly and its wrapper): the first that is no
  // wrapper.
  std::optional<FunctionView> find_function(std::string_view name) const;
  // The function whose range has this address.
  std::optional<FunctionView> function_at(ElfAddress address) const;

  // The instructions of a range inside Go text.
  Result<std::span<const std::byte>> code(ElfRange range) const;
  Result<FileOffset> file_offset(ElfAddress address) const { return elf_->file_offset(address); }

  // Everything that was inlined into one function, in no particular order.
  Result<std::vector<InlinedCall>> inlined_calls(const FunctionView &function) const {
    return pclntab_.inlined_calls(function);
  }

  // See Symbolizer in flow/source.h. Where a function's tables are damaged, its name alone.
  std::vector<SourceFrames> symbolize(std::span<const ElfAddress> addresses) const;

private:
  GoBinary(std::string path, std::unique_ptr<const ElfFile> elf, BuildInfo build_info,
           ModuleData module_data, Pclntab pclntab);

  std::string path_;
  std::unique_ptr<const ElfFile> elf_; // at a fixed address, since pclntab_ refers to it
  BuildInfo build_info_;
  ModuleData module_data_;
  Pclntab pclntab_;
};

} // namespace mapscope
