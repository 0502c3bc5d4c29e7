// Reading by offset; see byte_source.h.
#include "wire/byte_source.h"

#include <sys/stat.h>

namespace mapscope {

Result<ByteSource> ByteSource::open(Fd file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno("fstat"));
  if (!S_ISREG(status.st_mode))
    return fail(Errc::unsupported, "not a regular file");
  return ByteSource{std::move(file), static_cast<std::uint64_t>(status.st_size)};
}

Result<std::span<const std::byte>> ByteSource::read(std::uint64_t offset, std::size_t length) {
  if (!file_)
    return TRY(ByteReader{bytes_}.window(offset, length)).bytes();
  buffer_.resize(length);
  for (std::size_t done = 0; done < length;) {
    const ssize_t got = ::pread(file_.get(), buffer_.data() + done, length - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return std::unexpected(Error::from_errno("read"));
    if (got == 0)
      return fail(Errc::malformed, "the file became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return std::span<const std::byte>{buffer_};
}

} // namespace mapscope
