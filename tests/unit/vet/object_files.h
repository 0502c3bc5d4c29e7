// The compiled objects of tests/fixtures/bpf_objects.
#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace mapscope {

inline std::vector<std::byte> bytes_of(const std::string &path) {
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto *begin = reinterpret_cast<const std::byte *>(text.data());
  return {begin, begin + text.size()};
}

// "sound", "defects", "legacy", "without_btf", "big_endian"
inline std::vector<std::byte> fixture_object(const std::string &name) {
  return bytes_of(VET_OBJECTS "/" + name + ".bpf.o");
}

} // namespace mapscope
