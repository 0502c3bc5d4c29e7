// The options of `maps`, and what they ask for once they are checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "judge/fail_on.h"
#include "pipeline/map_survey.h"

namespace CLI {
class App;
}

namespace mapscope {

// As the command line has them.
struct MapsOptions {
  int pid = 0;
  std::string core, exe, snapshot;
  std::vector<std::string> diff; // two snapshots
  std::string sort = "reclaimable", min_bytes = "0", type, group_by, explain, fail_on, save, output;
  std::string owner, site, learn, pprof;
  std::size_t top = 20;
  bool json = false, payload = false, owners = false, no_owners = false;
  double watch_seconds = 0;
};

// What to do with the source that is named.
struct MapsRequest {
  MapSelection selection;
  std::optional<ProcessAddress> explain;
  OwnersWanted owners = OwnersWanted::automatic;
  std::chrono::milliseconds learn{}; // 0: nothing is learned
  FailOn fail_on;
};

void add_maps_options(CLI::App &command, MapsOptions &options);

// Errors: usage, with a sentence that names the option.
Result<MapsRequest> maps_request_of(const MapsOptions &options);

} // namespace mapscope
