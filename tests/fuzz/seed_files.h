// What make_seeds writes, by the files that it is made of.
#pragma once

#include <filesystem>
#include <fstream>
#include <span>

namespace mapscope {

inline void write_seed(const std::filesystem::path &path, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char *>(bytes.data()),
                                              static_cast<std::streamsize>(bytes.size()));
}

// Texts of the kernel, alerts, answers, records, code and types of the kernel's maps.
bool write_small_seeds(const std::filesystem::path &corpus);

} // namespace mapscope
