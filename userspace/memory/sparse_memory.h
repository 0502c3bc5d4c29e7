// Bytes at the addresses of a process, as far as they are known: in pages, of which those exist
// that something is known of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>

#include "base/address.h"

namespace mapscope {

class SparseMemory {
public:
  // Takes at most about `bytes_max` of memory, whatever is written to it.
  explicit SparseMemory(std::uint64_t bytes_max) : bytes_left_(bytes_max) {}

  // What was there before is forgotten. False: no room, or the range is none of an address space;
  // a part may have been written then.
  bool write(ProcessAddress address, std::span<const std::byte> bytes);

  // False: not all of it is known.
  bool read(ProcessAddress address, std::span<std::byte> into) const;

private:
  static constexpr std::size_t kPageBytes = 4096, kRegionPages = 512;

  // One bit for each byte.
  using Known = std::array<std::uint64_t, kPageBytes / 64>;

  struct Page {
    std::array<std::byte, kPageBytes> bytes;
    std::unique_ptr<Known> known; // null: all of them
  };
  using Region = std::array<Page *, kRegionPages>; // null: nothing is known

  Page *make_page(std::uint64_t number);
  const Page *find_page(std::uint64_t number) const;

  std::uint64_t bytes_left_;
  std::deque<Page> pages_;
  std::map<std::uint64_t, Region> regions_; // not a hash table: somebody may have chosen them
};

} // namespace mapscope
