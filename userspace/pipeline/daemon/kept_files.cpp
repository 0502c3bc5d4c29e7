// A directory with a limit; see kept_files.h.
#include "pipeline/daemon/kept_files.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <ranges>
#include <vector>

#include <fmt/format.h>

namespace mapscope {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPart = ".part";
constexpr std::size_t kFilesMax = 10'000; // in the directory, that are looked at

struct KeptFile {
  fs::path path;
  std::uint64_t bytes = 0;
  fs::file_time_type written;
};

// What is there, the oldest first.
std::vector<KeptFile> kept_files(const KeptFilesLimit &limit) {
  std::vector<KeptFile> files;
  std::error_code error;
  for (auto entry = fs::directory_iterator(limit.directory, error);
       !error && entry != fs::directory_iterator{} && files.size() < kFilesMax;
       entry.increment(error)) {
    std::error_code of_one; // it may be gone by now
    const fs::path &path = entry->path();
    if (!path.native().ends_with(limit.suffix) &&
        !path.native().ends_with(limit.suffix + std::string{kPart}))
      continue;
    KeptFile file{
        .path = path, .bytes = entry->file_size(of_one), .written = entry->last_write_time(of_one)};
    if (!of_one)
      files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &KeptFile::written);
  return files;
}

// The newest one stays. What another run left unfinished goes at once.
Result<> make_room(const KeptFilesLimit &limit, const std::string &newest) {
  const std::vector<KeptFile> files = kept_files(limit);
  std::uint64_t sum = 0;
  for (const KeptFile &file : files)
    sum += file.bytes;
  for (const KeptFile &file : files) {
    if (file.path == newest || (sum <= limit.bytes_max && !file.path.native().ends_with(kPart)))
      continue;
    std::error_code error;
    if (!fs::remove(file.path, error) && error)
      return fail(Errc::system, "removing {}, an old {}: {}", file.path.native(), limit.what,
                  error.message());
    sum -= file.bytes;
  }
  return {};
}

} // namespace

Result<> prepare_kept_files(const KeptFilesLimit &limit) {
  constexpr std::uint64_t kFreeShare = 20; // one part in so many of the file system stays free
  std::error_code error;
  if (!fs::exists(limit.directory, error)) {
    fs::create_directories(limit.directory, error);
    if (!error)
      fs::permissions(limit.directory, fs::perms::owner_all, error);
  }
  struct statvfs space{};
  if (::statvfs(limit.directory.c_str(), &space) != 0)
    return std::unexpected(Error::from_errno(
        fmt::format("looking for room in {} ({})", limit.directory, limit.setting)));
  if (space.f_bavail < space.f_blocks / kFreeShare)
    return fail(Errc::system, "less than {} % of the file system of {} are free: no {} is kept",
                100 / kFreeShare, limit.directory, limit.what);
  return {};
}

Result<std::string> keep_file(const KeptFilesLimit &limit, std::string_view name,
                              const std::function<Result<>(const std::string &path)> &write) {
  const std::string path = fmt::format("{}/{}{}", limit.directory, name, limit.suffix);
  const std::string part = path + std::string{kPart};
  std::error_code error;
  fs::remove(part, error);
  auto written = write(part);
  if (written)
    written = make_room(limit, part);
  if (written && ::rename(part.c_str(), path.c_str()) != 0)
    written = std::unexpected(Error::from_errno(fmt::format("renaming {} to {}", part, path)));
  if (!written) {
    fs::remove(part, error);
    return std::unexpected(std::move(written).error());
  }
  return path;
}

std::string newest_kept_file(const KeptFilesLimit &limit, std::string_view name_begin,
                             std::uint64_t after_wall_ns) {
  const auto files = kept_files(limit);
  for (const KeptFile &file : files | std::views::reverse) {
    const auto since = std::chrono::file_clock::to_sys(file.written).time_since_epoch();
    if (file.path.filename().native().starts_with(name_begin) &&
        !file.path.native().ends_with(kPart) && since >= std::chrono::nanoseconds{after_wall_ns})
      return file.path.native();
  }
  return {};
}

std::string as_file_name(std::string_view name) {
  constexpr std::size_t kNameMax = 64;
  std::string fit{name.substr(0, kNameMax)};
  for (char &letter : fit)
    if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '.' && letter != '-')
      letter = '_';
  return fit.empty() || fit.front() == '.' ? "_" + fit : fit;
}

} // namespace mapscope
