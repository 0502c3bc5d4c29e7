// Which processes hold descriptors of BPF maps and programs: by an iterator of the kernel over open
// files, else file by file through /proc.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/error.h"

namespace mapscope {

enum class HeldObjectKind : std::uint8_t {
  map,
  program,     // itself, or by a link that runs it
  map_by_link, // of struct_ops
};

struct HeldObject {
  std::uint32_t pid = 0; // in this process's pid namespace
  HeldObjectKind kind = HeldObjectKind::map;
  std::uint32_t id = 0;
  friend auto operator<=>(const HeldObject &, const HeldObject &) = default;
};

struct HeldObjects {
  std::vector<HeldObject> objects; // sorted, each once
  bool is_complete = false;        // every process was looked at
  std::string problem;             // why it is not, a sentence
};

// The iterator stays loaded for the life of the process: loading it costs more than a look. Errors:
// unsupported, denied, system: this kernel does not take it; malformed.
Result<HeldObjects> held_objects_by_iterator();

struct ProcLookLimits {
  std::uint64_t descriptors_max = 1'000'000;
  std::uint64_t cpu_ns_max = 1'000'000'000;
};
HeldObjects held_objects_by_proc(const ProcLookLimits &limits = {});

// By the better way that works.
HeldObjects find_held_objects();

// What one file of /proc/PID/fdinfo says; no id where it is no descriptor of BPF.
HeldObject parse_held_object(std::string_view text);

} // namespace mapscope
