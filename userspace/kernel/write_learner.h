// The BPF program on the runtime's writes to maps, and what it counted: loaded apart from those of
// Tracer, which are not for functions that run with every access.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "bpf/contract/map_writes.h"
#include "kernel/uprobes.h"

namespace mapscope {

struct CountedWrite {
  map_write_key key{};
  map_write_value value{};
};

class WriteLearner {
public:
  // Loads. `writes_max`: different ones between two take(). Errors: denied (capabilities),
  // unsupported or system (the message says what the kernel said).
  static Result<WriteLearner> load(std::uint32_t writes_max = MAP_WRITES_MAX);
  WriteLearner(WriteLearner &&) noexcept;
  WriteLearner &operator=(WriteLearner &&) noexcept;
  ~WriteLearner();

  // Probes of one process, until the links die; see attach_uprobes(). Cookies: PROBE_COOKIE.
  Result<UprobeLinks> place(const std::string &path, pid_t pid, std::vector<UprobeSite> sites);

  // Since the load. Read from shared memory: cheap enough to look again and again.
  map_write_counts counts() const;

  // What was written since the last time, in no order; the table is empty then. While no probe is
  // placed: what comes meanwhile may be missed.
  Result<std::vector<CountedWrite>> take();

private:
  struct State;
  explicit WriteLearner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
