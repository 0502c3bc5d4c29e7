// The version that a Go runtime names, for programs whose build information was taken out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "binary/elf_file.h"

namespace mapscope {

// What each version of Go that is found here begins with.
inline constexpr std::string_view kRuntimeVersionBegin = "go1.";

// The text of runtime.buildVersion: the one string variable in writable data that is a version of
// Go. Absent: there is none, or several differ, so that none can be trusted.
// Go source: runtime/proc.go schedinit keeps it alive, cmd/link sets it.
std::optional<std::string> find_runtime_version(const ElfFile &elf);

} // namespace mapscope
