// What was asked about pages, and what the answers were; the latest one counts for each page.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"

namespace mapscope {

class KnownResidency {
public:
  // An answer of AddressSpace::resident_pages, on a machine with pages of `page_bytes`.
  void add(std::span<const ProcessRange> ranges, std::vector<PageRun> runs,
           std::uint64_t page_bytes);

  // The same answer to the same question. Errors: unsupported (a part of it was never asked).
  Result<std::vector<PageRun>> answer(std::span<const ProcessRange> ranges) const;

private:
  struct Asked {
    std::uint64_t end = 0;
    std::size_t index = 0; // of the answer
  };

  void split_at(std::uint64_t address);

  std::uint64_t page_bytes_ = 4096;
  std::vector<std::vector<PageRun>> answers_; // runs in the order of addresses
  std::map<std::uint64_t, Asked> asked_;      // by start; apart from each other
};

} // namespace mapscope
