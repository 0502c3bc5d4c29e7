// The fuzz targets without a fuzzer: one of them takes all files of its corpus, and of each some
// copies that are damaged alike each time. `make fuzz` looks for more.
//
//   fuzz_inputs TARGET DIRECTORY
//
// Exit status: 0 it took them, 77 there are none; what a target does not survive ends the program.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

#include "support/file_content.h"

namespace {

using Input = std::vector<std::uint8_t>;
using Target = int (*)(const std::uint8_t *, std::size_t);

constexpr int kUnknown = 2, kSkipped = 77; // SKIP_RETURN_CODE of CTest
constexpr unsigned kDamagedCopies = 8;

} // namespace

// The build names the targets, and calls the function of each after it.
extern "C" {
#define FUZZ_TARGET(name) int name##_input(const std::uint8_t *data, std::size_t size_bytes);
#include "fuzz/fuzz_targets.inc"
#undef FUZZ_TARGET
}

namespace {

Target target_of(std::string_view wanted) {
#define FUZZ_TARGET(name)                                                                          \
  if (wanted == #name)                                                                             \
    return name##_input;
#include "fuzz/fuzz_targets.inc"
#undef FUZZ_TARGET
  return nullptr;
}

// Every other copy is cut short as well.
Input damaged(Input input, unsigned seed) {
  std::minstd_rand random{seed + 1};
  if (input.empty())
    return input;
  for (unsigned i = 0; i <= seed; ++i)
    input[random() % input.size()] = static_cast<std::uint8_t>(random() >> 8);
  if (seed % 2 == 1)
    input.resize(random() % input.size());
  return input;
}

} // namespace

int main(int argc, char **argv) {
  const Target target = argc == 3 ? target_of(argv[1]) : nullptr;
  if (target == nullptr) {
    std::fprintf(stderr, "fuzz_inputs: expected a target and a directory of inputs for it.\n");
    return kUnknown;
  }
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(argv[2]))
    std::ranges::copy(std::filesystem::directory_iterator{argv[2]}, std::back_inserter(files));
  if (files.empty()) {
    std::printf("%s has no inputs for %s.\n", argv[2], argv[1]);
    return kSkipped;
  }
  std::ranges::sort(files);
  for (const std::filesystem::path &path : files) {
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout); // the last one named is the one that was not survived
    const auto input = mapscope::testing::file_content<Input>(path);
    target(input.data(), input.size());
    for (unsigned seed = 0; seed < kDamagedCopies; ++seed) {
      const Input copy = damaged(input, seed);
      target(copy.data(), copy.size());
    }
  }
  return 0;
}
