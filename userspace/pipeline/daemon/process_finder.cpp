// Which Go programs run on this host; see process_finder.h.
#include "pipeline/daemon/process_finder.h"

namespace mapscope {
namespace {

class Finder final : public ProcessFinder {
public:
  ProcessChanges look() override { return {}; }
  bool is_complete() const override { return true; }
  void set_watch(const WatchConfig &) override {}
  ProcessFinderFigures figures() const override { return {}; }
};

} // namespace

std::unique_ptr<ProcessFinder> ProcessFinder::start(const WatchConfig &, BinaryCache &) {
  return std::make_unique<Finder>();
}

} // namespace mapscope
