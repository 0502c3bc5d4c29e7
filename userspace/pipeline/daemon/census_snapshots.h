// Snapshots of processes near their memory limit, in one directory that does not grow beyond its
// limit: what is left to look at when the kernel has killed them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "pipeline/map_source.h"

namespace mapscope {

class CensusSnapshots {
public:
  CensusSnapshots(std::string directory, std::uint64_t bytes_max)
      : directory_(std::move(directory)), bytes_max_(bytes_max) {}

  bool is_wanted() const { return !directory_.empty() && bytes_max_ > 0; }

  // Looks at the source once and keeps what that read, as `maps --save` does; returns the path.
  // The oldest ones go where there is no room. `stop` ends it early, with its error. Errors:
  // system (no directory, the disk is nearly full, the snapshot alone is larger than all may be),
  // as MapSurvey::look.
  Result<std::string> keep(MapSource &source, const std::function<Result<>()> &stop);

private:
  Result<> write(MapSource &source, const std::string &path,
                 const std::function<Result<>()> &stop) const;

  std::string directory_;
  std::uint64_t bytes_max_;
};

} // namespace mapscope
