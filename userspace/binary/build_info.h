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

// "go1.26.8-X:nogreenteagc" in its parts.
struct ToolchainVersion {
  std::string text; // "go1.26.8", or the whole text of a development version
  GoVersion version;
  std::vector<std::string> experiments; // "nogreenteagc"
};

// Reads both forms of the suffix: " X:a,b" until 1.25, "-X:a,b" from 1.26. What does not look
// like a release is a development version, with minor 0.
ToolchainVersion parse_toolchain_version(std::string_view text);

struct BuildInfo {
  ToolchainVersion toolchain;
  std::string main_module;
  std::map<std::string, std::string> settings; // "CGO_ENABLED" -> "1"
};

// Errors: not_found (no build info: not a Go program), malformed.
// Go source: debug/buildinfo/buildinfo.go (1.18 inline form, 1.17 form with pointers).
Result<BuildInfo> read_build_info(const ElfFile &elf);

} // namespace mapscope
