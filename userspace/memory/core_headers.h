// What a core file says of itself: its segments and its notes, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "wire/byte_source.h"

namespace mapscope {

// One PT_LOAD: a mapping, and which of its bytes the file was meant to have.
struct CoreSegment {
  ProcessRange range;
  std::uint64_t stored_bytes = 0; // from the start of the range on
  std::uint64_t offset = 0;       // of these in the core file
  bool is_readable = false, is_writable = false, is_executable = false;
};

// What of a file was mapped where: an entry of NT_FILE.
struct MappedFile {
  ProcessRange range;
  std::uint64_t file_offset = 0;
  std::string path;
};

struct CoreHeaders {
  std::vector<CoreSegment> segments; // in the order of addresses
  std::vector<MappedFile> files;     // in the order of addresses; empty: not said
  std::int32_t pid = 0;              // 0: not said
  ProcessAddress entry;              // AT_ENTRY; 0: not said
};

// Of a core file that is cut short the notes may be lost; so are they then here.
// Errors: malformed, unsupported (another machine or word size), as ByteSource.
Result<CoreHeaders> read_core_headers(ByteSource &core);

// Which parts of an executable file nobody writes to when it runs, by its program headers: the
// relocated ones are not among them. Errors: malformed.
struct FilePart {
  std::uint64_t offset = 0, size_bytes = 0;
};
Result<std::vector<FilePart>> unchanging_parts(ByteSource &executable);

} // namespace mapscope
