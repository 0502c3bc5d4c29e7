// Which functions use which words of data, and which of these says most about a word.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "binary/go_binary.h"
#include "flow/program_roots.h"

namespace mapscope {

class DataUsers {
public:
  // `binary` outlives it.
  explicit DataUsers(const GoBinary &binary) : binary_(binary) {}

  // `function`: its index.
  void add(std::uint64_t address, std::uint32_t function);

  // In the order of addresses, each once.
  std::vector<DataUse> take() &&;

private:
  DataUse name(std::uint64_t address, std::vector<std::uint32_t> &functions) const;

  const GoBinary &binary_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> uses_;
};

} // namespace mapscope
