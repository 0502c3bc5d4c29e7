// The memory of a live process, by process_vm_readv(2): it can't write, and it stops nobody.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/handle.h"
#include "flow/address_space.h"
#include "flow/process.h"

namespace mapscope {

class LiveProcess final : public AddressSpace {
public:
  // Errors: gone (no such process, or the pid is another's by now), denied (needs CAP_SYS_PTRACE,
  // or the same user).
  static Result<std::unique_ptr<LiveProcess>> open(ProcessKey process);

  Result<> read(std::span<MemoryRead> reads) override;
  Result<std::vector<Mapping>> mappings() override;
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override;

private:
  LiveProcess(ProcessKey process, Fd pid_fd) : process_(process), pid_fd_(std::move(pid_fd)) {}

  // Errc::gone where the pid may have been another's before this call.
  Result<> check_identity() const;

  ProcessKey process_;
  Fd pid_fd_;
};

} // namespace mapscope
