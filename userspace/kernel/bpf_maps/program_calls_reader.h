// What bpf(2) tells of one program: runs, code, and what maps of programs and maps hold.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace mapscope {

// The same program as long as both are the same: the kernel uses ids again.
struct ProgramIdentity {
  std::uint32_t id = 0;
  std::uint64_t loaded_ns = 0; // CLOCK_BOOTTIME
  auto operator<=>(const ProgramIdentity &) const = default;
};

struct ProgramGlance {
  ProgramIdentity identity;
  std::uint32_t type = 0; // enum bpf_prog_type
  std::string name;
  std::uint32_t btf_id = 0;
  std::uint32_t replaces_in_btf = 0; // freplace: the BTF of the program that it changes
  bool is_offloaded = false;
  std::uint64_t runs = 0;
  std::uint64_t read_at_ns = 0; // CLOCK_MONOTONIC
};

struct ProgramCode {
  std::vector<std::uint32_t> map_ids; // without those that are only reached through others
  std::vector<std::byte> instructions;
};

// Errors: denied, system.
Result<std::vector<std::uint32_t>> all_program_ids();

// Errors: not_found (it is gone), denied, system.
Result<ProgramGlance> glance_at_program(std::uint32_t id);
Result<ProgramCode> read_program_code(std::uint32_t id);

// What a map of programs or of maps holds.
struct HeldIds {
  std::vector<std::uint32_t> ids;
  bool is_complete = true;
};
enum class HolderKind : std::uint8_t { neither, of_programs, of_maps };
Result<HolderKind> holder_kind(std::uint32_t map_id);
// Looks at no more than `entries_left` entries, and takes them off.
HeldIds ids_held_by(std::uint32_t map_id, std::uint64_t &entries_left);

} // namespace mapscope
