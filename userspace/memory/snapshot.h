// What a look at a process read of its memory, as a file: enough to look again on any machine, and
// nothing more. docs/snapshots.md tells the format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/handle.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"

namespace mapscope {

// What else has to be known of the process.
struct SnapshotProcess {
  std::uint32_t pid = 0;
  std::string exe;
  LoadBias load_bias;
  std::uint64_t wall_time_ns = 0; // when the snapshot was taken, since 1970
  BinaryFacts facts;
};

// Passes reads on to another address space and writes what they brought.
class SnapshotWriter final : public AddressSpace {
public:
  // `space` outlives it.
  static Result<std::unique_ptr<SnapshotWriter>> create(Fd file, AddressSpace &space,
                                                        const SnapshotProcess &process);
  // Everything is in the file only after this. Errors: system.
  Result<> finish();

  Result<> read(std::span<MemoryRead> reads) override;
  Result<std::vector<Mapping>> mappings() override;
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override;
};

// The memory of a snapshot: of what was read several times, as it was the last time.
class Snapshot final : public AddressSpace {
public:
  // Errors: malformed (torn, damaged, absurd), unsupported (a newer format).
  static Result<std::unique_ptr<Snapshot>> open(Fd file, std::string path);

  const SnapshotProcess &process() const;

  Result<> read(std::span<MemoryRead> reads) override;
  Result<std::vector<Mapping>> mappings() override;
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) override;
};

} // namespace mapscope
