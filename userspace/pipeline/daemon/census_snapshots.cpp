// A snapshot is written under another name and gets its own when it is whole.
#include "pipeline/daemon/census_snapshots.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "base/clock.h"
#include "base/duplicate.h"
#include "pipeline/daemon/census_access.h"
#include "pipeline/map_survey.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".snap", kPartSuffix = ".snap.part";
constexpr std::size_t kFilesMax = 10'000; // in the directory, that are looked at

struct KeptFile {
  fs::path path;
  std::uint64_t bytes = 0;
  fs::file_time_type written;
};

// What is there, the oldest first.
std::vector<KeptFile> kept_files(const std::string &directory) {
  std::vector<KeptFile> files;
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory, error);
       !error && entry != fs::directory_iterator{} && files.size() < kFilesMax;
       entry.increment(error)) {
    std::error_code of_one; // it may be gone by now
    const fs::path &path = entry->path();
    if (!path.native().ends_with(kSuffix) && !path.native().ends_with(kPartSuffix))
      continue;
    KeptFile file{
        .path = path, .bytes = entry->file_size(of_one), .written = entry->last_write_time(of_one)};
    if (!of_one)
      files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &KeptFile::written);
  return files;
}

std::uint64_t bytes_of(const Fd &file) {
  struct stat status{};
  return ::fstat(file.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

// "server-4711-1766370000.snap": what sorts by name sorts by process.
std::string name_of(const SnapshotProcess &process) {
  std::string exe = fs::path{process.exe}.filename();
  for (char &letter : exe)
    if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '.' && letter != '-')
      letter = '_';
  constexpr std::size_t kNameMax = 64;
  exe.resize(std::min(exe.size(), kNameMax));
  return fmt::format("{}-{}-{}{}", exe.empty() || exe.front() == '.' ? "_" + exe : exe, process.pid,
                     process.wall_time_ns / 1'000'000'000, kSuffix);
}

} // namespace

// The newest one stays. What another run left unfinished goes at once.
Result<> CensusSnapshots::make_room(const std::string &newest) const {
  std::vector<KeptFile> files = kept_files(directory_);
  std::uint64_t sum = 0;
  for (const KeptFile &file : files)
    sum += file.bytes;
  for (const KeptFile &file : files) {
    if (file.path == newest || (sum <= bytes_max_ && !file.path.native().ends_with(kPartSuffix)))
      continue;
    std::error_code error;
    if (!fs::remove(file.path, error) && error)
      return fail(Errc::system, "removing {}, an old snapshot: {}", file.path.native(),
                  error.message());
    sum -= file.bytes;
  }
  return {};
}

Result<> CensusSnapshots::write(MapSource &source, const std::string &path,
                                const std::function<Result<>()> &stop) const {
  Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  const Fd size_of = TRY(duplicate(file));
  auto stop_if_large = [&, this]() -> Result<> {
    if (bytes_of(size_of) > bytes_max_)
      return fail(Errc::system, "the snapshot is larger than census.snapshots_max_bytes ({})",
                  bytes_max_);
    return stop();
  };
  auto writer = TRY(SnapshotWriter::create(std::move(file), *source.memory, source.process));
  SnapshotWriter &snapshot = *writer;
  const auto questions =
      std::make_shared<SnapshotQuestions>(snapshot, source.symbolizer, source.roots);
  MapSource through{.memory =
                        std::make_unique<CensusAccess>(std::move(writer), std::move(stop_if_large)),
                    .process = source.process,
                    .symbolizer = questions,
                    .roots = questions,
                    .description = source.description};
  MapSurvey survey{through, {.owners = OwnersWanted::automatic}};
  TRY(survey.look());
  return snapshot.finish();
}

Result<std::string> CensusSnapshots::keep(MapSource &source,
                                          const std::function<Result<>()> &stop) {
  constexpr std::uint64_t kFreeShare = 20; // one part in so many of the file system stays free
  std::error_code error;
  if (!fs::exists(directory_, error)) {
    fs::create_directories(directory_, error);
    if (!error)
      fs::permissions(directory_, fs::perms::owner_all, error);
  }
  struct statvfs space{};
  if (::statvfs(directory_.c_str(), &space) != 0)
    return std::unexpected(Error::from_errno(
        fmt::format("looking for room in {} (census.snapshot_directory)", directory_)));
  if (space.f_bavail < space.f_blocks / kFreeShare)
    return fail(Errc::system,
                "less than {} % of the file system of {} are free: no snapshot is kept",
                100 / kFreeShare, directory_);
  source.process.wall_time_ns = now_ns(CLOCK_REALTIME);
  const std::string path = directory_ + "/" + name_of(source.process);
  const std::string part = fs::path{path}.replace_extension(kPartSuffix);
  auto written = write(source, part, stop);
  if (written)
    written = make_room(part);
  if (written && ::rename(part.c_str(), path.c_str()) != 0)
    written = std::unexpected(Error::from_errno(fmt::format("renaming {} to {}", part, path)));
  if (!written) {
    fs::remove(part, error);
    return std::unexpected(std::move(written).error());
  }
  return path;
}

} // namespace mapscope
