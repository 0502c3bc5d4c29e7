// The BPF program that counts creations and growths of maps by call site, and what it counted:
// loaded apart from those of Tracer, since a daemon holds it all the time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "bpf/contract/map_sites.h"
#include "kernel/uprobes.h"

namespace mapscope {

struct CountedSite {
  map_site_key key{};
  map_site_value value{};
};

// Whom the next moment is about.
struct SiteMoment {
  std::uint64_t runtime_start = 0, runtime_bytes = 0; // where it runs: load bias included
  std::uint64_t image = 0; // what image() said after an earlier moment; 0: none yet
};

class SiteCounter {
public:
  // Loads. `sites_max`: different ones between two take(). Errors: denied (capabilities),
  // unsupported or system (the message says what the kernel said).
  static Result<SiteCounter> load(std::uint32_t sites_max = MAP_SITES_MAX);
  SiteCounter(SiteCounter &&) noexcept;
  SiteCounter &operator=(SiteCounter &&) noexcept;
  ~SiteCounter();

  // Nothing counts until start_counting(). While no probe is placed.
  void prepare(const SiteMoment &moment);
  // Probes of one process, until the links die; see attach_uprobes(). Cookies: PROBE_COOKIE.
  Result<UprobeLinks> place(const std::string &path, pid_t pid, std::vector<UprobeSite> sites);
  void start_counting();
  void stop_counting();
  std::uint64_t image() const; // 0: there was no hit

  // Since the load. Read from shared memory: cheap enough to look again and again.
  map_site_counts counts() const;

  // What was counted since the last time, in no order; the table is empty then. While no probe is
  // placed: what comes meanwhile may be missed.
  Result<std::vector<CountedSite>> take();

private:
  struct State;
  explicit SiteCounter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
