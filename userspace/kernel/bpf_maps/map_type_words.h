// The C types of a map's keys and values, as its BTF has them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/handle.h"

struct btf;

namespace mapscope {

void free_btf(btf *types) noexcept;
using BtfOwner = Handle<btf, free_btf>;

// For one look: what was found of a map's BTF serves the next maps, which mostly share it.
class MapTypeWords {
public:
  MapTypeWords();
  ~MapTypeWords();

  // "struct flow_key", "__u32", "struct {...}"; empty: there is none, or it can't be read.
  std::string of(std::uint32_t btf_id, std::uint32_t type_id);

  // Of values of struct_ops maps, which are the kernel's. `module_btf_id`: of the module whose type
  // it is; 0 where the kernel does not say.
  std::string of_kernel(std::uint32_t module_btf_id, std::uint32_t type_id);

private:
  const btf *kernel_types();

  std::unordered_map<std::uint64_t, std::string> words_; // by BTF and type
  BtfOwner last_;                                        // the BTF of the map before
  std::uint32_t last_id_ = 0;
  BtfOwner kernel_; // some megabytes: read where a map needs it
};

} // namespace mapscope
