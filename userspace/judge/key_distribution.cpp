// Counts of keys; see key_distribution.h.
#include "judge/key_distribution.h"

namespace mapscope {

BpfKeyDistribution key_distribution(std::span<const std::vector<std::byte>>,
                                    const std::function<std::string(std::span<const std::byte>)> &,
                                    std::size_t) {
  return {};
}

} // namespace mapscope
