// Interns what the executable says of its map types.
#include "attribute/type_table.h"

#include <algorithm>

namespace mapscope {
namespace {

// More than any program has; the addresses are not to be trusted.
constexpr std::size_t kTypesMax = 16384;

} // namespace

const MapTypePtr *TypeTable::find(std::uint64_t descriptor) const {
  auto known = known_.find(descriptor);
  return known == known_.end() ? nullptr : &known->second;
}

void TypeTable::ask(const SourceLines &lines) {
  std::ranges::sort(wanted_);
  auto repeated = std::ranges::unique(wanted_);
  wanted_.erase(repeated.begin(), repeated.end());
  if (known_.size() > kTypesMax)
    known_.clear();
  std::vector<std::uint64_t> descriptors;
  std::vector<ElfAddress> addresses;
  for (std::uint64_t descriptor : wanted_)
    if (auto address = lines.to_elf({descriptor}); address && !known_.contains(descriptor)) {
      descriptors.push_back(descriptor);
      addresses.push_back(*address);
    }
  wanted_.clear();
  if (addresses.empty())
    return;
  auto types = names_.map_types(addresses);
  if (!types || types->size() != addresses.size()) {
    unknown_ += addresses.size();
    error_ = types ? fmt::format("{} answers to {} descriptors", types->size(), addresses.size())
                   : types.error().message();
    return;
  }
  for (std::size_t at = 0; at < descriptors.size(); ++at) {
    auto &type = (*types)[at];
    unknown_ += type ? 0U : 1U;
    known_.emplace(descriptors[at],
                   type ? std::make_shared<const MapType>(std::move(*type)) : nullptr);
  }
}

} // namespace mapscope
