// Reading by offset; see byte_source.h.
#include "wire/byte_source.h"

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

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
  if (!TRY(read_into(offset, buffer_)))
    return fail(Errc::malformed, "the file became shorter while it was read");
  return std::span<const std::byte>{buffer_};
}

Result<bool> ByteSource::read_into(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset > size_bytes_ || into.size() > size_bytes_ - offset)
    return false;
  if (!file_) {
    std::ranges::copy(bytes_.subspan(offset, into.size()), into.begin());
    return true;
  }
  for (std::size_t done = 0; done < into.size();) {
    const ssize_t got = ::pread(file_.get(), into.data() + done, into.size() - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return std::unexpected(Error::from_errno("read"));
    if (got == 0)
      return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::uint64_t ByteSource::next_data(std::uint64_t offset) const {
  if (!file_)
    return offset;
  const off_t data = ::lseek(file_.get(), static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0) // ENXIO: no more data; else the file system does not know
    return errno == ENXIO ? size_bytes_ : offset;
  return std::min(static_cast<std::uint64_t>(data), size_bytes_);
}

} // namespace mapscope
