// What a BPF skeleton that can't be loaded is called.
#include "kernel/skeleton.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

// As those that bpftool generates, without a kernel behind it.
struct UnloadableSkeleton {
  static UnloadableSkeleton *open() { return new UnloadableSkeleton; }
  static int load(UnloadableSkeleton *) { return -refusal; }
  static void destroy(UnloadableSkeleton *skeleton) { delete skeleton; }

  static inline int refusal = 0;
};

Errc code_of(int refusal) {
  UnloadableSkeleton::refusal = refusal;
  auto opened = Opened<UnloadableSkeleton>::open();
  auto loaded = std::move(*opened).load();
  EXPECT_FALSE(loaded);
  return loaded ? Errc::system : loaded.error().code();
}

TEST(SkeletonTest, NoTargetIsGoneWhereTheKernelTakesNoProgram) {
  EXPECT_EQ(code_of(ESRCH), Errc::unsupported); // libbpf found no BTF
  EXPECT_EQ(code_of(ENOENT), Errc::unsupported);
  EXPECT_EQ(code_of(ENOMEM), Errc::unsupported);
}

TEST(SkeletonTest, MissingRightsAreMissingRights) { EXPECT_EQ(code_of(EPERM), Errc::denied); }

} // namespace
} // namespace mapscope
