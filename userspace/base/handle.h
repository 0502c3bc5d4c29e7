// One owner for each thing the kernel or a C library hands out.
#pragma once

#include <memory>
#include <utility>

#include <unistd.h>

namespace mapscope {

template <auto Release> struct Releaser {
  template <typename T> void operator()(T *resource) const noexcept { Release(resource); }
};

// Handle<bpf_link, bpf_link__destroy>: a pointer that is released by one known function.
template <typename T, auto Release> using Handle = std::unique_ptr<T, Releaser<Release>>;

// Explicit on both ends: no int becomes an Fd, and no Fd an int, by accident.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd &operator=(Fd &&other) noexcept {
    std::swap(fd_, other.fd_); // the old descriptor closes with `other`
    return *this;
  }
  ~Fd() { reset(); }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
  }

private:
  int fd_ = -1;
};

} // namespace mapscope
