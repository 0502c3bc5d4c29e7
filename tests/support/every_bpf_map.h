// One BPF map of every type that the running kernel takes, filled to known levels: the truth that
// tables of maps are compared with. All go when the object goes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope::testing {

enum class BpfMapLevel { empty, some, full };

struct MadeBpfMap {
  std::string name; // "ms_" and the type, as the kernel keeps it: 15 characters
  std::string type;
  std::uint32_t type_number = 0;
  std::uint32_t id = 0;
  std::uint32_t key_bytes = 0, value_bytes = 0, max_entries = 0, flags = 0;
  std::uint64_t extra = 0;
  // The truth. `entries`: keys that are there; absent: a type without keys of its own, or an array,
  // where all keys always are. `set_values`: of arrays, those that are not all zero. `used_bytes`:
  // of ring buffers, with the headers of records.
  std::optional<std::uint64_t> entries, set_values, used_bytes;
  Fd fd;
};

struct RefusedBpfMap {
  std::string type;
  std::string reason;
};

class EveryBpfMap {
public:
  // `only`: names of types; empty: all.
  static EveryBpfMap make(BpfMapLevel level, const std::vector<std::string> &only = {});
  EveryBpfMap(EveryBpfMap &&) noexcept;
  EveryBpfMap &operator=(EveryBpfMap &&) noexcept;
  ~EveryBpfMap();

  const std::vector<MadeBpfMap> &maps() const;
  const std::vector<RefusedBpfMap> &refused() const;
  const MadeBpfMap *find(std::string_view type) const; // null: the kernel took none

private:
  struct State;
  explicit EveryBpfMap(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A map of the given kind by itself, empty. `flags`: BPF_F_*.
Result<MadeBpfMap> make_bpf_map(std::string_view type, const std::string &name,
                                std::uint32_t max_entries, std::uint32_t flags = 0,
                                std::uint32_t key_bytes = 4, std::uint32_t value_bytes = 8);

// A hash map with BTF: keys are `struct flow_key {unsigned int address; unsigned short port;
// unsigned short zone;}`, values `unsigned long long`.
Result<MadeBpfMap> make_hash_with_btf(const std::string &name, std::uint32_t max_entries);

// Adds keys first, first+1, ... to a map of the hash types or an array; in batches, where the
// kernel has them.
Result<void> put_bpf_keys(const MadeBpfMap &map, std::uint32_t first, std::uint32_t count);

} // namespace mapscope::testing
