// Something that a kernel, its settings or our privileges may or may not allow.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

enum class Availability {
  yes,
  no,     // this kernel or this system lacks it, whoever asks
  denied, // these privileges do not suffice, so whether it would work is not known
};

struct Feature {
  std::string name;
  Availability availability = Availability::no;
  std::string answer;                    // what the system said when it was tried
  std::string used_for;                  // a phrase; empty: not used, and `without` says why
  std::string without;                   // what happens instead, a phrase
  std::vector<std::string> capabilities; // "CAP_BPF": all that trying it takes
  std::vector<std::string> needed_by;    // commands that can't run without it
};

// Those that keep `command` from running.
inline std::vector<Feature> missing_for(std::string_view command,
                                        const std::vector<Feature> &features) {
  std::vector<Feature> missing;
  std::ranges::copy_if(features, std::back_inserter(missing), [&](const Feature &feature) {
    return feature.availability != Availability::yes &&
           std::ranges::find(feature.needed_by, command) != feature.needed_by.end();
  });
  return missing;
}

} // namespace mapscope
