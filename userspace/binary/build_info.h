// What `go version -m` shows: the toolchain's version and experiments, the main module and
// the settings of the build, from the section .go.buildinfo.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "binary/elf_file.h"
#include "flow/binary_facts.h"

namespace mapscope {

// How near to a release, whose structures are known, a toolchain is.
enum class Nearness {
  release,     // "go1.26.8"
  variant,     // made from one, or to become one: "go1.22.1-fips", "go1.27rc2"
  development, // between two: "devel go1.28-4f2b1f3a", "go1.27-20260101-RC00"
  unknown,     // does not say which: "devel +b7a85e0003"; its version is 0.0.0
};

// "go1.26.8-X:nogreenteagc" in its parts.
struct ToolchainVersion {
  std::string text; // without the experiments
  GoVersion version;
  Nearness nearness = Nearness::unknown;
  std::vector<std::string> experiments; // "nogreenteagc"
};

// Reads both forms of the suffix: " X:a,b" until 1.25, "-X:a,b" from 1.26. A development version
// has the numbers of the release that it leads to.
ToolchainVersion parse_toolchain_version(std::string_view text);

struct BuildInfo {
  ToolchainVersion toolchain;
  std::string main_module;
  std::map<std::string, std::string> settings; // "CGO_ENABLED" -> "1"
  bool was_removed = false; // there is none: the version is the one that the runtime names
};

// Errors: not_found (no build info, and no runtime that names its version: not a Go program),
// malformed.
// Go source: debug/buildinfo/buildinfo.go (1.18 inline form, 1.17 form with pointers).
Result<BuildInfo> read_build_info(const ElfFile &elf);

} // namespace mapscope
