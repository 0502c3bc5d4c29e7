// What each Linux system call is about: its name, its class, and where its descriptor or
// path is. The kernel side gets this as one byte for each number.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/contract/targets.h"
#include "flow/binary_facts.h"
#include "flow/verdict.h"

namespace mapscope {

struct SystemCall {
  std::string_view name; // "openat"
  call_class klass = CALL_CLASS_OTHER;
  std::uint8_t flags = 0; // enum call_flag
};

// Absent: no such number on that architecture, as far as Linux 6.18 knows.
std::optional<SystemCall> system_call(Machine machine, std::uint32_t number);

// "openat"; "system call 9999" where the number is unknown.
std::string system_call_name(Machine machine, std::uint32_t number);

// Class and flags of each number, as the BPF side reads them. Numbers without a call have
// the class CALL_CLASS_OTHER and no flag.
std::array<std::uint8_t, SYSTEM_CALLS_MAX> call_table(Machine machine);

// The class of a call on such a descriptor: the kernel side decides the same. Only
// CALL_CLASS_FILE is refined. A descriptor that does not exist is no file I/O: nothing is
// behind it.
call_class refined(call_class klass, descriptor_kind descriptor);

// An io_uring request; the opcode is IORING_OP_* of <linux/io_uring.h>.
struct IoUringOpcode {
  std::string_view name; // "openat"
  call_class klass = CALL_CLASS_OTHER;
};

// Opcodes newer than Linux 6.18 are named "unknown" and count as file calls, since that is
// the side to err on.
IoUringOpcode io_uring_opcode(std::uint8_t opcode);

// The counters of a target by name, without those that are zero. Numbers from
// SYSTEM_CALLS_MAX - 1 on share the last slot, and the name "other numbers".
std::vector<CallCount> named_counts(Machine machine, const target_counts &counts);

} // namespace mapscope
