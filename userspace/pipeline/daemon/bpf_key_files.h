// Keys of the kernel's maps that are full, in files: one for each map, from when it became full
// until it is so no more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "flow/bpf_map.h"
#include "flow/daemon_config.h"
#include "flow/rule_input.h"

namespace mapscope {

// As write_key_file() of pipeline/bpf_maps/.
using BpfKeyWriter = std::function<Result<std::uint64_t>(
    const BpfMapFacts &map, const std::string &path, std::uint64_t bytes_max)>;

struct BpfKeyFileFigures {
  std::uint64_t written = 0, failures = 0;
  std::string problem; // why the last one could not be written; empty: it could
};

class BpfKeyFiles {
public:
  explicit BpfKeyFiles(BpfKeyWriter write) : write_(std::move(write)) {}

  // Writes what is due, and tells each map of `look` where its keys are.
  void keep(BpfMapsLook &look, const BpfNeeds &needs, const BpfConfig &config);
  const BpfKeyFileFigures &figures() const { return figures_; }

private:
  // By id of the map: where its keys are; empty: they could not be written, and it is not tried
  // again before it was less full.
  using Episodes = std::map<std::uint32_t, std::string>;
  std::string begin(const BpfMapSample &map, const BpfConfig &config);

  BpfKeyWriter write_;
  Episodes episodes_;
  BpfKeyFileFigures figures_;
};

} // namespace mapscope
