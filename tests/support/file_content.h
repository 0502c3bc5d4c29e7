// What is in a file, read at once: to copy an executable byte by byte takes longer than most tests
// do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace mapscope::testing {

// Empty where there is no such file. Files of /proc, which have no size, are read too.
template <typename Content> Content file_content(const std::filesystem::path &path) {
  std::ifstream file{path, std::ios::binary};
  Content content;
  std::size_t size_bytes = 0;
  while (file) {
    content.resize(size_bytes + std::max<std::size_t>(size_bytes, 64 * 1024));
    file.read(reinterpret_cast<char *>(content.data()) + size_bytes,
              static_cast<std::streamsize>(content.size() - size_bytes));
    size_bytes += static_cast<std::size_t>(file.gcount());
  }
  content.resize(size_bytes);
  return content;
}

inline std::string file_text(const std::filesystem::path &path) {
  return file_content<std::string>(path);
}

inline std::vector<std::byte> file_bytes(const std::filesystem::path &path) {
  return file_content<std::vector<std::byte>>(path);
}

} // namespace mapscope::testing
