// The heap's rounding, against the runtime sources of every Go release on this machine.
#include "go/size_classes.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

namespace fs = std::filesystem;

std::string line_of(const char *command) {
  std::FILE *pipe = ::popen(command, "r");
  if (pipe == nullptr)
    return {};
  char buffer[4096] = {};
  std::string line = std::fgets(buffer, sizeof(buffer), pipe) != nullptr ? buffer : "";
  ::pclose(pipe);
  return line.substr(0, line.find('\n'));
}

std::vector<fs::path> installed_releases() {
  std::vector<fs::path> releases;
  if (fs::path root = line_of("go env GOROOT 2>/dev/null"); !root.empty())
    releases.push_back(root);
  std::error_code none;
  for (const auto &entry :
       fs::directory_iterator{line_of("go env GOMODCACHE 2>/dev/null") + "/golang.org", none})
    if (entry.path().filename().string().starts_with("toolchain@"))
      releases.push_back(entry.path());
  return releases;
}

// The numbers in the braces of `var class_to_size = [...]uint16{...}`.
std::vector<std::uint64_t> classes_of(const fs::path &release) {
  for (auto file : {"src/internal/runtime/gc/sizeclasses.go", "src/runtime/sizeclasses.go"}) {
    std::ifstream source{release / file};
    for (std::string line; std::getline(source, line);) {
      if (!line.starts_with("var class_to_size ") && !line.starts_with("var SizeClassToSize "))
        continue;
      std::istringstream numbers{line.substr(line.find('{') + 1)};
      std::vector<std::uint64_t> classes;
      char comma = 0;
      for (std::uint64_t number = 0; numbers >> number; numbers >> comma)
        classes.push_back(number);
      return classes;
    }
  }
  return {};
}

TEST(SizeClassesTest, AreThoseOfEveryInstalledRelease) {
  auto releases = installed_releases();
  if (releases.empty())
    GTEST_SKIP() << "no Go release is installed, so there is nothing to compare with";
  for (const fs::path &release : releases)
    EXPECT_EQ(classes_of(release),
              (std::vector<std::uint64_t>{kSizeClasses.begin(), kSizeClasses.end()}))
        << release;
}

TEST(SizeClassesTest, RoundUpToTheClassOrToPages) {
  EXPECT_EQ(heap_bytes(0, true, true), 0U);
  EXPECT_EQ(heap_bytes(1, false, false), 8U);
  EXPECT_EQ(heap_bytes(48, true, true), 48U);
  EXPECT_EQ(heap_bytes(49, true, true), 64U);
  EXPECT_EQ(heap_bytes(32768, true, false), 32768U);
  EXPECT_EQ(heap_bytes(32769, true, false), 40960U);
  EXPECT_EQ(heap_bytes(kHeapBytesMax, false, true), kHeapBytesMax);
}

TEST(SizeClassesTest, AMallocHeaderStandsBeforePointersAbove512Bytes) {
  EXPECT_EQ(heap_bytes(512, true, true), 512U);
  EXPECT_EQ(heap_bytes(576, true, true), 640U);
  EXPECT_EQ(heap_bytes(576, false, true), 576U);
  EXPECT_EQ(heap_bytes(576, true, false), 576U);      // until 1.21
  EXPECT_EQ(heap_bytes(32764, true, true), 32768U);   // large: no header, whole pages
  EXPECT_EQ(rounded_up_bytes(520, true, true), 568U); // room without the header
  EXPECT_EQ(rounded_up_bytes(520, false, true), 576U);
}

} // namespace
} // namespace mapscope
