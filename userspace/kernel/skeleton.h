// A BPF skeleton whose life is spelled in types. Read-only data can be written only
// before load, maps have descriptors only after it; here the compiler knows.
//
//   auto opened = TRY(Opened<mapscope_bpf>::open());
//   opened->rodata->mapscope_settings.use_windows = true;
//   auto loaded = TRY(std::move(opened).load());
#pragma once

#include "base/error.h"
#include "base/handle.h"

namespace mapscope {

template <typename Skeleton> using SkeletonOwner = Handle<Skeleton, Skeleton::destroy>;

template <typename Skeleton> class Loaded {
public:
  explicit Loaded(SkeletonOwner<Skeleton> owner) : owner_(std::move(owner)) {}

  Skeleton *operator->() const { return owner_.get(); }

private:
  SkeletonOwner<Skeleton> owner_;
};

template <typename Skeleton> class Opened {
public:
  static Result<Opened> open() {
    SkeletonOwner<Skeleton> owner{Skeleton::open()};
    if (!owner)
      return std::unexpected(Error::from_errno("opening the BPF object"));
    return Opened{std::move(owner)};
  }

  // Consumes: an opened object loads once.
  Result<Loaded<Skeleton>> load() && {
    if (int status = Skeleton::load(owner_.get()); status < 0)
      return std::unexpected(load_error(-status));
    return Loaded<Skeleton>{std::move(owner_)};
  }

  Skeleton *operator->() const { return owner_.get(); }

private:
  explicit Opened(SkeletonOwner<Skeleton> owner) : owner_(std::move(owner)) {}

  // libbpf says "no such process" where it could not read the kernel's BTF: no target is gone.
  static Error load_error(int error_number) {
    Error error = Error::from_errno("loading the BPF programs", error_number);
    return error.code() == Errc::denied ? error : Error{Errc::unsupported, error.message()};
  }

  SkeletonOwner<Skeleton> owner_;
};

} // namespace mapscope
