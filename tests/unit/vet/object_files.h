// The compiled objects of tests/fixtures/bpf_objects.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "support/file_content.h"

namespace mapscope {

// "sound", "defects", "legacy", "without_btf", "big_endian"
inline std::vector<std::byte> fixture_object(const std::string &name) {
  return testing::file_bytes(VET_OBJECTS "/" + name + ".bpf.o");
}

} // namespace mapscope
