// The memory of a process that has ended, as an ELF core file keeps it, together with the
// executable, since core files leave out what the executable holds.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/handle.h"
#include "flow/address_space.h"

namespace mapscope {

class CoreFile final : public AddressSpace {
public:
  // `path` is for messages. Errors: malformed, unsupported (another machine or word size).
  static Result<std::unique_ptr<CoreFile>> open(Fd core, std::string path);

  // Of the process, as the kernel left it in the notes.
  int pid() const;
  std::string exe() const;      // path of the executable; empty: not said
  ProcessAddress entry() const; // AT_ENTRY; 0: not said

  // Where the core file has no bytes of a mapping of `exe()`, they come from this file.
  void set_executable(Fd executable);

  Result<> read(std::span<MemoryRead> reads) override;
  Result<std::vector<Mapping>> mappings() override;

private:
  CoreFile() = default;
};

} // namespace mapscope
