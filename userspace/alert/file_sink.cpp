// One JSON document a line, appended and on disk before a batch counts as delivered.
#include "alert/file_sink.h"

#include <atomic>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/handle.h"
#include "base/write_all.h"

namespace mapscope {

namespace {

constexpr std::size_t kBatchMax = 256;

class AlertFile final : public AlertSink {
public:
  AlertFile(std::string path, std::string host) : path_(std::move(path)), host_(std::move(host)) {}

  AlertDelivery deliver(std::span<const AlertNotice> notices) override {
    Result<> written = is_cut_ ? fail(Errc::system, "stopped") : append(notices);
    if (written)
      return {};
    return {.outcome = DeliveryOutcome::try_later, .problem = written.error().message()};
  }
  void cut_off() override { is_cut_ = true; }
  std::size_t batch_max() const override { return kBatchMax; }

private:
  // Opened for each batch: another program may have renamed the last one.
  Result<> append(std::span<const AlertNotice> notices) {
    // A pipe that nobody reads must not hold up anything.
    Fd file(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640));
    if (!file)
      return std::unexpected(Error::from_errno(fmt::format("opening {}", path_)));
    for (const AlertNotice &notice : notices)
      TRY_WHILE(append_line(file, alerts_document(host_, {&notice, 1}) + '\n'), "appending to {}",
                path_);
    if (::fdatasync(file.get()) != 0 && errno != EINVAL) // a pipe has EINVAL
      return std::unexpected(Error::from_errno(fmt::format("fdatasync of {}", path_)));
    return {};
  }

  // A line whose end did not fit is taken back, or the next one would be glued to it.
  static Result<> append_line(const Fd &file, const std::string &line) {
    struct stat before{};
    const bool is_known = ::fstat(file.get(), &before) == 0 && S_ISREG(before.st_mode);
    Result<> written = write_all(file, std::as_bytes(std::span(line)));
    if (!written && is_known && ::ftruncate(file.get(), before.st_size) != 0)
      return fail(written.error().code(), "{}; half a line may be left", written.error().message());
    return written;
  }

  std::string path_, host_;
  std::atomic<bool> is_cut_ = false;
};

} // namespace

std::unique_ptr<AlertSink> make_file_sink(const FileSink &config, const std::string &host) {
  return std::make_unique<AlertFile>(config.path, host);
}

} // namespace mapscope
