// A kernel that refuses the programs is explained by what it lacks, not by the verifier's words.
#include "kernel/libbpf_words.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

Feature absent(std::string name) {
  Feature feature;
  feature.name = std::move(name);
  return feature;
}

const Error kRefused = Error::from_errno("loading the BPF programs", EINVAL);

TEST(RefusedLoadTest, NamesWhatTheKernelLacks) {
  keep_libbpf_words();
  const Error error =
      refused_load(kRefused, std::vector{absent("bpf_loop"), absent("bpf_get_attach_cookie")});
  EXPECT_EQ(error.code(), kRefused.code());
  EXPECT_EQ(error.message(),
            "loading the BPF programs: Invalid argument. This kernel lacks bpf_loop, "
            "bpf_get_attach_cookie, without which the programs can't run; Linux 5.17 is the oldest "
            "that has all they need. `mapscope doctor` tells what works without");
}

TEST(RefusedLoadTest, ShowsTheKernelsWordsWhereNothingIsLacking) {
  keep_libbpf_words();
  EXPECT_NE(refused_load(kRefused, {}).message().find("The kernel said: "), std::string::npos);
}

} // namespace
} // namespace mapscope
