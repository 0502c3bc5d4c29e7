// Files that the daemon leaves for people, in a directory that does not grow beyond its limit: the
// oldest go. Each is written under another name, NAME.part, and gets its own when it is whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapscope {

struct KeptFilesLimit {
  std::string directory;
  std::string setting;     // the configuration's name of it: "census.snapshot_directory"
  std::string suffix;      // ".snap": no other files are touched
  std::string_view what;   // "snapshot"
  std::uint64_t bytes_max; // of all of them
};

// Makes the directory, for its owner only. Errors: system (it can't be, the disk is nearly full).
Result<> prepare_kept_files(const KeptFilesLimit &limit);

// `write` makes the file at the path that it is given. Returns the path under which it stands then.
// What another run left unfinished goes as well. Errors: as `write`, system.
Result<std::string> keep_file(const KeptFilesLimit &limit, std::string_view name,
                              const std::function<Result<>(const std::string &path)> &write);

// The newest file whose name begins so, written after that time of the wall clock; empty: none.
std::string newest_kept_file(const KeptFilesLimit &limit, std::string_view name_begin,
                             std::uint64_t after_wall_ns);

// Letters, digits, '-' and '.' of a name, short enough for a file's.
std::string as_file_name(std::string_view name);

} // namespace mapscope
