// The file that a parser is asked about, and that a later parser of it has to find unchanged.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

// Device, inode, bytes, last change (s, ns): which file it is, and which contents. Never its build
// id, which is what the file says of itself: one user's program must not answer for another's.
using FileIdentity =
    std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;

class ParsedFile {
public:
  // Errors: system.
  static Result<ParsedFile> of(Fd file, std::string path);
  static Result<FileIdentity> identity_of(const Fd &file);

  const Fd &file() const { return file_; }
  const std::string &path() const { return path_; } // for messages
  // By the time when its inode changed, which a new name or its removal alter too.
  const FileIdentity &identity() const { return identity_; }

  // Errors: gone, other contents than when it was opened. By the time when its bytes changed, since
  // a program that runs may well be removed or replaced under its name.
  Result<> check_unchanged() const;

private:
  Fd file_;
  std::string path_;
  FileIdentity identity_, contents_;
};

} // namespace mapscope
