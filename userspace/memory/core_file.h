// The memory of a process that has ended, as an ELF core file keeps it, together with the
// executable, since core files leave out what the executable holds.
//
// What neither has can't be read. That is no zeros: the kernel writes the zeros of memory that
// nobody touched, and leaves out what it was told to leave out (core(5), coredump_filter) and what
// did not fit (ulimit -c).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "flow/address_space.h"
#include "memory/core_headers.h"
#include "wire/byte_source.h"

namespace mapscope {

class CoreFile final : public AddressSpace {
public:
  // `path` is for messages. Errors: malformed, unsupported (another machine or word size, no
  // regular file).
  static Result<std::unique_ptr<CoreFile>> open(Fd core, std::string path);
  static Result<std::unique_ptr<CoreFile>> open(ByteSource core, std::string path);

  // Of the process, as the kernel left it in the notes.
  int pid() const { return headers_.pid; }                // 0: not said
  std::string exe() const;                                // path of the executable; empty: not said
  ProcessAddress entry() const { return headers_.entry; } // AT_ENTRY; 0: not said

  // Where the core file was not meant to have the bytes of a mapping of `exe()`, they come from
  // this file, whatever it is called. Errors: malformed (it is none, or another program: its
  // first bytes are not those in the core file).
  Result<> set_executable(Fd executable);
  Result<> set_executable(ByteSource executable);

  // Errors: system (the file can't be read).
  Result<> read(std::span<MemoryRead> reads) override;
  // Where nothing but the executable has the bytes, only that they are readable is known.
  Result<std::vector<Mapping>> mappings() override;

private:
  // Bytes of the process, and where they are.
  struct Piece {
    ProcessRange range;
    std::uint64_t offset = 0;
    bool is_of_executable = false;
  };

  CoreFile(ByteSource core, std::string path, CoreHeaders headers);

  Result<bool> fill(ProcessAddress address, std::span<std::byte> into) const;
  Result<bool> is_of_this_process();
  Result<std::vector<Piece>> executable_pieces();

  ByteSource core_;
  std::optional<ByteSource> executable_;
  std::string path_;
  CoreHeaders headers_;
  std::vector<Piece> pieces_; // in the order of addresses, apart from each other
};

} // namespace mapscope
