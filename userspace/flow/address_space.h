// The bytes of one address space, read in bulk: of a live process, of a core file or of a snapshot.
// Implemented by memory/; used by heap/ and others, which must not know which it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"

namespace mapscope {

// One range that is wanted, and whether it came.
struct MemoryRead {
  ProcessAddress address;
  std::span<std::byte> into;
  bool is_read = false; // all of `into` is filled; false: what it holds means nothing
  // It tells the time that other memory is compared with: of several answers, a snapshot keeps the
  // first, as if all had been read then; of all else the last.
  bool is_clock = false;
};

struct Mapping {
  ProcessAddress start;
  std::uint64_t size_bytes = 0;
  bool is_readable = false, is_writable = false, is_executable = false;
  std::uint64_t file_offset = 0;       // of a file's mapping
  std::uint64_t device = 0, inode = 0; // 0: no file behind it
  std::string name;                    // path, "[heap]", "[anon: Go: heap]"; empty: none
};

// Neighbouring pages of one kind. Pages that are neither in memory nor in swap have no run: nobody
// has touched them, or they were given back.
struct PageRun {
  ProcessRange range;      // whole pages of 4 KiB, or of whatever the machine has
  bool is_swapped = false; // else in memory
  bool is_huge = false;    // part of a transparent huge page
  bool is_file = false;    // of a file, or shared
  friend bool operator==(const PageRun &, const PageRun &) = default;
};

class AddressSpace {
public:
  virtual ~AddressSpace() = default;

  // Reads what can be read, and says of each range whether it was. A live process changes while
  // it is read, and nothing holds it still. An error means that nothing can be read any more:
  // gone (the process ended), denied, system.
  virtual Result<> read(std::span<MemoryRead> reads) = 0;

  // What there is was read at many moments of a process that ran on, and will not agree better with
  // itself if it is read again.
  virtual bool is_of_many_moments() const { return false; }

  // In the order of addresses, as they are now.
  virtual Result<std::vector<Mapping>> mappings() = 0;

  // Which pages of these ranges (in the order of addresses, apart from each other) are in memory
  // or in swap. Errors: unsupported (the source can't know: a core file), as read().
  virtual Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange> ranges) {
    (void)ranges;
    return fail(Errc::unsupported, "which pages are in memory is not known here");
  }
};

} // namespace mapscope
