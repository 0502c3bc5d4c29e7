// A snapshot is written under another name and gets its own when it is whole.
#include "pipeline/daemon/census_snapshots.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/duplicate.h"
#include "pipeline/daemon/census_access.h"
#include "pipeline/daemon/kept_files.h"
#include "pipeline/map_survey.h"

namespace mapscope {
namespace {

std::uint64_t bytes_of(const Fd &file) {
  struct stat status{};
  return ::fstat(file.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

// "server-4711-1766370000": what sorts by name sorts by process.
std::string name_of(const SnapshotProcess &process) {
  return fmt::format("{}-{}-{}", as_file_name(process.exe.substr(process.exe.rfind('/') + 1)),
                     process.pid, process.wall_time_ns / 1'000'000'000);
}

} // namespace

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
  const KeptFilesLimit limit{.directory = directory_,
                             .setting = "census.snapshot_directory",
                             .suffix = ".snap",
                             .what = "snapshot",
                             .bytes_max = bytes_max_};
  TRY(prepare_kept_files(limit));
  source.process.wall_time_ns = now_ns(CLOCK_REALTIME);
  return keep_file(limit, name_of(source.process),
                   [&](const std::string &path) { return write(source, path, stop); });
}

} // namespace mapscope
