// Looks at the kernel's own maps, on a thread of its own: where a rule wants it, or metrics do. The
// only thread that keeps CAP_SYS_ADMIN, without which the kernel tells nobody the ids of its maps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "flow/daemon_config.h"
#include "flow/rule_input.h"
#include "pipeline/bpf_maps/bpf_map_watch.h"
#include "pipeline/daemon/bpf_key_files.h"

namespace mapscope {

struct BpfWatcherFigures {
  std::uint64_t looks = 0, failures = 0, cpu_ns = 0;
  std::uint64_t not_counted = 0; // maps for which the budget did not suffice, of all looks
  std::uint64_t calls_lost = 0;  // seen in windows, and of no map that could be told
  BpfKeyFileFigures key_files;
  std::string problem; // why nothing can be looked at; empty: it can, or nobody wants it
};

// What it works with; tests have others.
struct BpfWatcherParts {
  std::function<Result<std::unique_ptr<BpfMapWatch>>()> start_watch = &BpfMapWatch::start;
  BpfKeyWriter write_keys = &write_key_file;
};

class BpfWatcher {
public:
  virtual ~BpfWatcher() = default; // stops
  // The thread has the capabilities of the caller, less what it does not need, and does nothing
  // yet. Where the configuration has no use for it, it keeps no more than other threads do.
  static std::unique_ptr<BpfWatcher> start(const BpfConfig &config, BpfWatcherParts parts = {});

  // `hear` is called from its thread, with each look: without programs and holders.
  virtual void begin(std::function<void(BpfMapsSample)> hear) = 0;

  // All of these from any thread.
  virtual void set_needs(const BpfNeeds &needs) = 0;
  virtual void set_config(const BpfConfig &config) = 0;
  virtual std::shared_ptr<const BpfMapsLook> last_look() const = 0; // null: none, or none wanted
  virtual BpfWatcherFigures figures() const = 0;
  virtual void stop() = 0; // within a second, in the middle of a look too
};

// How a look is to be taken for these needs; `daemon --once` asks as well.
BpfLookOptions bpf_look_options(const BpfConfig &config, const BpfNeeds &needs);
// What rules are told of a look.
BpfMapsSample bpf_sample_of(const BpfMapsLook &look);

} // namespace mapscope
