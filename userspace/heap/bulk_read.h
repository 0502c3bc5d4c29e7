// Reading many small things in few large reads. What one range of process_vm_readv costs hardly
// depends on its size up to a page or two, so neighbours are read together with what lies
// between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"

namespace mapscope {

// A value at an offset that the caller has checked against the size of `bytes`.
template <typename T> T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value; // copied out, since nothing promises that the bytes are aligned
  std::memcpy(&value, bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}

struct WantedRange {
  std::uint64_t address = 0;
  std::uint32_t size_bytes = 0;
};

// What became of the wanted range of that index; no bytes where it could not be read.
using VisitRange = std::function<void(std::size_t, std::span<const std::byte>)>;

// Ranges in the order of their addresses. `gap_bytes_max`: how much that nobody asked for may be
// read between two of them. Errors: as AddressSpace::read.
Result<> read_sorted(AddressSpace &space, std::span<const WantedRange> ranges,
                     std::uint64_t gap_bytes_max, const VisitRange &visit);

// One range; not_found where it cannot be read.
Result<> read_exactly(AddressSpace &space, std::uint64_t address, std::span<std::byte> into);

template <typename T> Result<T> read_value(AddressSpace &space, std::uint64_t address) {
  T value{};
  if (auto read = read_exactly(space, address, std::as_writable_bytes(std::span{&value, 1})); !read)
    return std::unexpected(std::move(read).error());
  return value;
}

// mheap_.sweepgen, against which the spans' own tell what is swept.
inline Result<std::uint32_t> read_sweepgen(AddressSpace &space, std::uint64_t address) {
  std::uint32_t sweepgen = 0;
  MemoryRead read{.address = {address},
                  .into = std::as_writable_bytes(std::span{&sweepgen, 1}),
                  .is_clock = true};
  TRY(space.read({&read, 1}));
  if (!read.is_read)
    return fail(Errc::not_found, "the memory at {:#x} can't be read", address);
  return sweepgen;
}

} // namespace mapscope
