// One look after the other at every map of the kernel: what they are, how full, how busy, and when
// they will be full. Used by `mapscope bpf-maps` and by the daemon.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "flow/bpf_map.h"

namespace mapscope {

struct BpfLookOptions {
  bool with_holders = true;
  std::chrono::nanoseconds count_budget{std::chrono::milliseconds{100}}; // CPU time
  // How long calls and runs are counted; 0: no rates. Every system call is taxed meanwhile.
  std::chrono::milliseconds rate_window{0};
  bool program_rates = true, system_rates = true; // which of them
  bool array_values = false;
  // Maps whose looked-up keys are wanted: those that bpf(2) asked for in the window, else those
  // that the map holds. Asked after the rates of the last look.
  std::vector<std::uint32_t> sample_keys_of;
  std::optional<std::uint32_t> only; // this map, and no other
};

class BpfMapWatch {
public:
  // Errors: as find_bpf_maps().
  static Result<std::unique_ptr<BpfMapWatch>> start();
  virtual ~BpfMapWatch() = default;

  // `stop`: becomes true where somebody has no more patience; the look ends soon then.
  virtual Result<BpfMapsLook> look(const BpfLookOptions &options,
                                   const std::atomic<bool> *stop = nullptr) = 0;
};

// Its keys, one a line, BTF-formatted, at most so many bytes; the last line says what is missing.
// Returns how many. The file is new and for its owner only. Errors: as read_keys(), and files'.
Result<std::uint64_t> write_key_file(const BpfMapFacts &map, const std::string &path,
                                     std::uint64_t bytes_max);

} // namespace mapscope
