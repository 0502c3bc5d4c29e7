// Findings, clocks and places for the tests of alerting.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "flow/alert.h"

namespace mapscope {

inline std::string sample_fingerprint(unsigned number) { return fmt::format("{:032x}", number); }

inline Finding sample_finding(unsigned number = 1, bool is_firing = true) {
  const std::uint64_t now = now_ns();
  return {.fingerprint = sample_fingerprint(number),
          .rule = "waste",
          .kind = "map-waste",
          .severity = Severity::warning,
          .is_firing = is_firing,
          .process = {.key = {.pid = 42, .start_time_ns = 7},
                      .exe = "/usr/bin/served",
                      .command_line = "served --all",
                      .uid = 1000,
                      .user = "www",
                      .cgroup = {.path = "/system.slice/served.service", .unit = "served.service"}},
          .type = "map[string]int",
          .owner = "main.cache",
          .site = "main.fill main.go:12",
          .maps = 1,
          .numbers = {{"bytes", 64 << 20}, {"threshold", 0.5}},
          .summary = "main.cache holds 64.0 MiB that nothing uses.",
          .cause = "It was emptied.",
          .fix = "Make a new map.",
          .resolution = is_firing ? "" : "It was made anew.",
          .labels = {{"team", "storage"}},
          .since_ns = now - 1'000'000'000,
          .time_ns = now};
}

// A directory that is gone with the test.
class ScratchDirectory {
public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "mapscope-alert-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory &) = delete;
  ScratchDirectory &operator=(const ScratchDirectory &) = delete;
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path &path() const { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace mapscope
