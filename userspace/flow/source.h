// Places in a program's source, and who can name them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"

namespace mapscope {

// One logical frame. `line` 0: not known. `function` is Go's full name ("main.fill").
struct SourceFrame {
  std::string function;
  std::string file;
  std::uint32_t line = 0;
  bool inlined = false; // into the frame that follows it
  friend bool operator==(const SourceFrame &, const SourceFrame &) = default;
};

// All logical frames of one address, innermost (inlined) first; empty: not in Go text.
using SourceFrames = std::vector<SourceFrame>;

// Turns addresses of one executable into source frames. Implemented by binary/, which asks
// its confined child; used by attribute/ and report/, which must not know that.
class Symbolizer {
public:
  virtual ~Symbolizer() = default;

  // One answer per address, in order. The addresses are exact program counters: for a
  // return address, pass it less one.
  virtual Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) = 0;
};

} // namespace mapscope
