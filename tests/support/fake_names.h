// A Go program made by hand: the names of some addresses, map types and calls.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <vector>

#include "flow/binary_facts.h"
#include "flow/map_type.h"

namespace mapscope::testing {

class FakeNames final : public BinaryNames {
public:
  // By link-time address: of instructions, descriptors and return addresses.
  std::map<std::uint64_t, SourceFrames> lines;
  std::map<std::uint64_t, MapType> types, calls;
  bool is_broken = false;
  unsigned symbolize_requests = 0, type_requests = 0;

  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    ++symbolize_requests;
    return answers(addresses, lines);
  }
  Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) override {
    ++type_requests;
    return optional_answers(descriptors, types);
  }
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) override {
    return optional_answers(return_addresses, calls);
  }

private:
  template <typename Answer>
  Result<std::vector<Answer>> answers(std::span<const ElfAddress> addresses,
                                      const std::map<std::uint64_t, Answer> &known) const {
    if (is_broken)
      return fail(Errc::gone, "the parser is gone");
    std::vector<Answer> found;
    for (ElfAddress address : addresses) {
      auto answer = known.find(address.value);
      found.push_back(answer == known.end() ? Answer{} : answer->second);
    }
    return found;
  }
  Result<std::vector<std::optional<MapType>>>
  optional_answers(std::span<const ElfAddress> addresses,
                   const std::map<std::uint64_t, MapType> &known) const {
    if (is_broken)
      return fail(Errc::gone, "the parser is gone");
    std::vector<std::optional<MapType>> found;
    for (ElfAddress address : addresses) {
      auto answer = known.find(address.value);
      found.push_back(answer == known.end() ? std::nullopt : std::optional{answer->second});
    }
    return found;
  }
};

} // namespace mapscope::testing
