// The source lines of one executable's addresses, asked for in batches and remembered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/address.h"
#include "base/lru_table.h"
#include "flow/binary_facts.h"
#include "flow/source.h"

namespace mapscope {

// A batch is: begin(), want() for each address, ask(), then at().
class SourceLines {
public:
  // Both are of the same executable and outlive this.
  SourceLines(const BinaryFacts &facts, Symbolizer &symbolizer);

  // Where the executable lies. Until it is told, addresses of a position-independent one mean
  // nothing.
  void set_load_bias(LoadBias bias) { bias_ = bias; }
  const std::optional<LoadBias> &load_bias() const { return bias_; }

  // Link-time addresses; empty while the load bias is not known. Of a return address, that of
  // the call instruction before it, so that the line is that of the call.
  std::optional<ElfAddress> to_elf(ProcessAddress address) const;
  std::optional<ElfAddress> call_site(ProcessAddress return_address) const;

  void begin(); // forgets all lines once they are too many: the addresses are not to be trusted
  void want(ElfAddress address);
  void ask();
  // Empty where the address is not in Go code, or could not be named.
  const SourceFrames &at(ElfAddress address) const;

  std::uint64_t unnamed() const { return unnamed_; }  // addresses that the symbolizer failed on
  const std::string &error() const { return error_; } // its last failure

private:
  struct Hash {
    std::size_t operator()(ElfAddress address) const { return mix_bits(address.value); }
  };

  const BinaryFacts &facts_;
  Symbolizer &symbolizer_;
  std::optional<LoadBias> bias_;
  std::unordered_set<ElfAddress, Hash> wanted_;
  std::unordered_map<ElfAddress, SourceFrames, Hash> known_;
  std::uint64_t unnamed_ = 0;
  std::string error_;
};

// The first frame of user code, from the innermost of `frames` outwards.
std::optional<SourceFrame> user_frame(std::span<const SourceFrames> frames);

} // namespace mapscope
