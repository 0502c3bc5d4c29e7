// Which events of `trace` the user asked for: pure, so that the same events pass from a live
// target, a recording and a test.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/trace_event.h"

namespace mapscope {

// As the command line has it. What is absent or empty lets everything pass.
struct TraceFilterText {
  // Kinds and calls, each a list with commas: created grown split rehashed cleared cloned heap
  // large memory file misuse process, and names of memory calls (mmap). Any of them may pass.
  std::vector<std::string> only;
  // "4096", "64KiB", "1MiB", "2GiB". Of operations whose bytes are known, heap requests, and memory
  // calls with a length: what asks for less does not pass, nor does an operation that does not
  // tell. File calls, misuse, processes and calls without a length (brk) are not about bytes, and
  // pass.
  std::optional<std::string> min_bytes;
  // "0xc000012340" of the header. What does not tell its map does not pass.
  std::optional<std::string> map;
  // Part of the type's name; with a '*' in it, which stands for any text, all of the name.
  // (Brackets mean themselves: they are in the name of every map type.)
  std::optional<std::string> type;
  // Part of the function's name or of "file:line" of the site.
  std::optional<std::string> site;
};

class TraceFilter {
public:
  // Lets everything pass.
  TraceFilter() { kinds_.set(); }

  // Errc::usage with a sentence that names the option and what it takes.
  static Result<TraceFilter> parse(const TraceFilterText &text);

  bool passes(const TraceEvent &event) const;

  // For who can save events earlier: the kernel side, and what is not probed at all.
  bool wants(TraceKind kind) const;
  std::uint64_t min_bytes() const { return min_bytes_; } // 0: all
  std::optional<ProcessAddress> map() const { return map_; }

private:
  Result<> add_only(std::string_view word);
  bool passes_kind(const TraceEvent &event) const;
  bool passes_bytes(const TraceEvent &event) const;
  bool passes_map(const TraceEvent &event) const;
  bool passes_type(const TraceEvent &event) const;
  bool passes_site(const TraceEvent &event) const;

  std::bitset<kTraceKindCount> kinds_;
  std::set<std::string, std::less<>> calls_; // memory calls by name, beside the kinds
  std::uint64_t min_bytes_ = 0;
  std::optional<ProcessAddress> map_;
  std::string type_, site_; // empty: all
};

} // namespace mapscope
