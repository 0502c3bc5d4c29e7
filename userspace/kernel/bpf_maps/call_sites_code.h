// The translated code of one program, with the shapes that the kernel gives to maps and lookups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "base/error.h"
#include "kernel/bpf_maps/call_sites_state.h"

struct bpf_insn;

namespace mapscope {

struct TranslatedCode {
  std::vector<bpf_insn> instructions;
  std::vector<std::uint32_t> map_ids; // that it names, ascending
  std::set<std::uint32_t> callbacks;  // functions whose address it takes

  // Errors: malformed, unsupported.
  static Result<TranslatedCode> of(std::span<const std::byte> bytes);

  std::uint32_t slots(std::uint32_t at) const;          // that an instruction takes: 1 or 2
  HeldValue constant(std::uint32_t at) const;           // that one of 2 slots loads
  Result<std::uint32_t> callee(std::uint32_t at) const; // of a call of the program's own functions
  bool is_inlined_lookup(std::uint32_t at, const HeldValues &values) const; // in the map of r1

private:
  bool is_blinded() const;
  Result<void> find_names();
  bool is_at(std::uint32_t at, std::uint8_t code, unsigned destination) const;
  bool is_index_check(std::uint32_t at) const;
  bool is_scaling(std::uint32_t at) const;
  bool is_element_address(std::uint32_t at) const;
  bool is_socket_lookup(std::uint32_t at) const;
};

} // namespace mapscope
