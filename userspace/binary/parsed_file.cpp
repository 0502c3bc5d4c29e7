// Identities of files; see parsed_file.h.
#include "binary/parsed_file.h"

#include <utility>

#include <sys/stat.h>

namespace mapscope {
namespace {

FileIdentity identity_at(const struct stat &status, const timespec &changed) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), changed.tv_sec,
          changed.tv_nsec};
}

} // namespace

Result<ParsedFile> ParsedFile::of(Fd file, std::string path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno(fmt::format("looking at {}", path)));
  ParsedFile parsed;
  parsed.identity_ = identity_at(status, status.st_ctim);
  parsed.contents_ = identity_at(status, status.st_mtim);
  parsed.file_ = std::move(file);
  parsed.path_ = std::move(path);
  return parsed;
}

Result<FileIdentity> ParsedFile::identity_of(const Fd &file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno("looking at a file"));
  return identity_at(status, status.st_ctim);
}

Result<> ParsedFile::check_unchanged() const {
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0)
    return std::unexpected(Error::from_errno(fmt::format("looking at {}", path_)));
  if (identity_at(status, status.st_mtim) != contents_)
    return fail(Errc::gone, "{}: its contents have changed since it was parsed", path_);
  return {};
}

} // namespace mapscope
