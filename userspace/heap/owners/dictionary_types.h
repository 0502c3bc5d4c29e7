// Which real map type a map of generic code has. The code knows it by a shape, which stands for all
// types that are laid out alike; the dictionary that a closure of it carries lists the real ones.
//
// Go source: cmd/compile/internal/noder/reader.go, readerDict.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/go_types.h"

namespace mapscope {

class DictionaryTypes {
public:
  explicit DictionaryTypes(GoTypes types) : types_(std::move(types)) {}

  // See DynamicTypes::map_type_in_dictionary.
  Result<std::uint64_t> map_type(AddressSpace &space, std::uint64_t dictionary, std::uint64_t words,
                                 std::uint64_t shape);

private:
  struct RealMap {
    std::uint64_t descriptor = 0, key = 0, element = 0;
  };
  const std::vector<RealMap> &candidates(std::uint64_t shape);
  bool stands_for(std::uint64_t shape, std::uint64_t type, unsigned depth) const;
  bool is_described_alike(std::uint64_t shape, std::uint64_t type) const;
  std::uint64_t choose(std::span<const std::uint64_t> listed, std::uint64_t shape);
  std::string_view name_of(std::uint64_t type) const;

  GoTypes types_;
  std::optional<std::vector<RealMap>> real_maps_;                      // once somebody asks
  std::unordered_map<std::uint64_t, std::vector<RealMap>> candidates_; // by shape
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, std::uint64_t> answers_;
};

} // namespace mapscope
