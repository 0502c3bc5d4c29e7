// Features are found by trying, so the answers follow the privileges of who tries.
#include <algorithm>
#include <string_view>

#include <cap-ng.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/features.h"
#include "support/kernel_release.h"

namespace mapscope {
namespace {

const Feature &find(const std::vector<Feature> &features, std::string_view name) {
  const auto found = std::ranges::find(features, name, &Feature::name);
  EXPECT_NE(found, features.end()) << name;
  return *found;
}

TEST(FeaturesBpfTest, RootCanTryThemAll) {
  if (geteuid() != 0)
    GTEST_SKIP() << "needs root, to load BPF programs";
  const std::vector<Feature> features = find_features();
  for (const Feature &feature : features)
    EXPECT_NE(feature.availability, Availability::denied) << feature.name << ": " << feature.answer;
  // What every kernel has that this project's programs load on.
  for (std::string_view name : {"BTF", "uprobe", "tp_btf sys_enter", "ring buffer", "BPF map ids"})
    EXPECT_EQ(find(features, name).availability, Availability::yes) << find(features, name).answer;
  EXPECT_EQ(find(features, "bpf_loop").availability,
            testing::kernel_is_before(5, 17) ? Availability::no : Availability::yes);
}

// In a child, since capabilities that are given up do not come back.
TEST(FeaturesBpfTest, WithoutCapabilitiesTheyAreDeniedNotAbsent) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    capng_clear(CAPNG_SELECT_CAPS);
    const bool dropped = capng_apply(CAPNG_SELECT_CAPS) == 0;
    const std::vector<Feature> features = find_features();
    const auto is_denied = [&](std::string_view name) {
      return find(features, name).availability == Availability::denied;
    };
    _exit(dropped && is_denied("uprobe") && is_denied("tp_btf sys_enter") &&
                  is_denied("ring buffer") && is_denied("bpf_loop") && is_denied("BPF map ids") &&
                  find(features, "seccomp").availability == Availability::yes
              ? 0
              : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

} // namespace
} // namespace mapscope
