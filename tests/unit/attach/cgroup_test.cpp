// Paths of cgroups as the runtimes of this world make them, and as nobody should.
#include "attach/cgroup.h"

#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/identity.h"

namespace mapscope {
namespace {

const std::string kId = "4f1c2f2a9f3a4c0e8d7b6a5f4e3d2c1b0a9f8e7d6c5b4a39281706f5e4d3c2b1";
const std::string kOtherId = "00000000000000000000000000000000000000000000000000000000000000ab";
constexpr const char *kPod = "0f2c1a3b-1111-2222-3333-444455556666";
constexpr const char *kPodUnderscores = "0f2c1a3b_1111_2222_3333_444455556666";

struct Case {
  const char *what;
  std::string text;
  std::string container_id, pod_uid, unit;
};

std::vector<Case> cases() {
  return {
      {"Docker, systemd driver", "0::/system.slice/docker-" + kId + ".scope\n", kId, "", ""},
      {"Docker, cgroupfs driver", "0::/docker/" + kId + "\n", kId, "", ""},
      {"Docker, version 1",
       "12:pids:/docker/" + kId + "\n4:cpu,cpuacct:/docker/" + kId + "\n3:memory:/docker/" + kId +
           "\n1:name=systemd:/docker/" + kId + "\n0::/system.slice/containerd.service\n",
       kId, "", "containerd.service"},
      {"the Docker daemon", "0::/system.slice/docker.service\n", "", "", "docker.service"},
      {"containerd, systemd driver",
       std::string{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"} +
           kPodUnderscores + ".slice/cri-containerd-" + kId + ".scope\n",
       kId, kPod, ""},
      {"containerd, cgroupfs driver",
       std::string{"0::/kubepods/besteffort/pod"} + kPod + "/" + kId + "\n", kId, kPod, ""},
      {"containerd without its systemd driver",
       std::string{"11:memory:/system.slice/containerd.service/kubepods-burstable-pod"} +
           kPodUnderscores + ".slice:cri-containerd:" + kId + "\n",
       kId, kPod, "containerd.service"},
      {"cri-o",
       std::string{"0::/kubepods.slice/kubepods-pod"} + kPodUnderscores + ".slice/crio-" + kId +
           ".scope\n",
       kId, kPod, ""},
      {"the conmon of cri-o",
       std::string{"0::/kubepods.slice/kubepods-pod"} + kPodUnderscores + ".slice/crio-conmon-" +
           kId + ".scope\n",
       "", kPod, "crio-conmon-" + kId + ".scope"},
      {"a pod from a file",
       "0::/kubepods.slice/kubepods-pod8c1f4dd8e7a94f5bb0d2a3c4e5f60718.slice/cri-containerd-" +
           kId + ".scope\n",
       kId, "8c1f4dd8e7a94f5bb0d2a3c4e5f60718", ""},
      {"podman", "0::/machine.slice/libpod-" + kId + ".scope/container\n", kId, "", ""},
      {"podman of a user",
       "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId +
           ".scope/container\n",
       kId, "", "user@1000.service"},
      {"podman under a unit", "0::/system.slice/web.service/libpod-payload-" + kId + "\n", kId, "",
       "web.service"},
      {"kind: a node that is a container",
       "0::/docker/" + kOtherId + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" +
           kPodUnderscores + ".slice/cri-containerd-" + kId + ".scope\n",
       kId, kPod, ""},
      {"kind: the kubelet on it", "0::/docker/" + kOtherId + "/kubelet.slice/kubelet.service\n",
       kOtherId, "", "kubelet.service"},
      {"a service", "0::/system.slice/prometheus.service\n", "", "", "prometheus.service"},
      {"a service, version 1 without a memory controller",
       "5:cpuset:/\n1:name=systemd:/system.slice/prometheus.service\n", "", "",
       "prometheus.service"},
      {"a template's instance",
       "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n", "", "",
       "postgresql@15-main.service"},
      {"an escaped name", "0::/system.slice/my\\x2dapp\\x20x.service\n", "", "",
       "my-app x.service"},
      {"a broken escape", "0::/system.slice/my\\x2-\\xzz.service\n", "", "",
       "my\\x2-\\xzz.service"},
      {"a name that the kernel has a use for", "0::/system.slice/_cpu.service\n", "", "",
       "cpu.service"},
      {"a session", "0::/user.slice/user-1000.slice/session-3.scope\n", "", "", "session-3.scope"},
      {"a desktop's program",
       "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-code-1234.scope\n", "",
       "", "app-gnome-code-1234.scope"},
      {"nothing at all", "0::/\n", "", "", ""},
      {"from within another cgroup namespace", "0::/../../system.slice/web.service\n", "", "",
       "web.service"},
      {"a container from within another", "0::/../" + kId + "\n", kId, "", ""},
      {"removed already", "0::/system.slice/docker-" + kId + ".scope (deleted)\n", kId, "", ""},
      {"no line's end", "0::/system.slice/web.service", "", "", "web.service"},
      {"not hexadecimal", "0::/docker/" + std::string(64, 'g') + "\n", "", "", ""},
      {"too long an id", "0::/docker/" + kId + "a\n", "", "", ""},
      {"an id glued to a word", "0::/docker/x" + kId + "\n", "", "", ""},
      {"a pod's name that is none", "0::/kubepods/podcast/pod-x\n", "", "", ""},
      {"no text", "", "", "", ""},
      {"no path", "0::\n3:memory:\nnonsense\n:\n::\n", "", "", ""},
  };
}

TEST(CgroupTest, NamesAreReadFromEveryRuntimesPaths) {
  for (const Case &each : cases()) {
    const CgroupIdentity identity = cgroup_identity(each.text);
    EXPECT_EQ(identity.container_id, each.container_id) << each.what;
    EXPECT_EQ(identity.pod_uid, each.pod_uid) << each.what;
    EXPECT_EQ(identity.unit, each.unit) << each.what;
  }
}

TEST(CgroupTest, ThePathIsThatOfTheMemoryControllerElseTheUnifiedOne) {
  EXPECT_EQ(cgroup_identity("0::/a/b\n").path, "/a/b");
  EXPECT_EQ(cgroup_identity("0::/a\n7:cpu,memory:/m\n").path, "/m");
  EXPECT_EQ(cgroup_identity("0::/a (deleted)\n").path, "/a");
  EXPECT_EQ(cgroup_identity("2:cpu:/c\n").path, "");
}

TEST(CgroupTest, HostileTextsAreCutAndMadePrintable) {
  EXPECT_EQ(cgroup_identity("0::/\x1b[31m\xff.service\n").unit, "?[31m?.service");
  EXPECT_EQ(cgroup_identity("0::/\x1b\n").path, "/?");
  EXPECT_EQ(cgroup_identity("0::/\\x1b\\x0a.service").unit, "??.service");
  EXPECT_LE(cgroup_identity("0::/" + std::string(1 << 20, 'x')).path.size(), 4096u);
  std::string lines;
  for (int i = 0; i < 100'000; ++i)
    lines += "1:cpu:/x\n";
  EXPECT_EQ(cgroup_identity(lines + "0::/late\n").path, "");
}

TEST(CommandLineTest, ArgumentsAreJoinedAndPrintable) {
  using namespace std::string_literals;
  EXPECT_EQ(command_line_text("prog\0-n\0007\0"s), "prog -n 7");
  EXPECT_EQ(command_line_text("prog\0\0a\n\x1b\0"s), "prog  a??");
  EXPECT_EQ(command_line_text(""), "");
  EXPECT_EQ(command_line_text(std::string(5000, 'x')).size(), 4096u);
}

TEST(UserNamesTest, AreReadAgainWhenTheFileChanges) {
  const std::string path = ::testing::TempDir() + fmt::format("passwd-{}", ::getpid());
  auto write = [&](const char *text, int seconds) {
    std::ofstream{path} << text;
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  write("root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/false\nbroken line\n", 1);
  UserNames users{path};
  EXPECT_EQ(users.name_of(33), "web");
  EXPECT_EQ(users.name_of(34), "");
  write("app:x:33:33::/:/bin/false\n", 2);
  EXPECT_EQ(users.name_of(33), "app");
  ::unlink(path.c_str());
  EXPECT_EQ(users.name_of(33), "app"); // the last word
  EXPECT_EQ(UserNames{"/nonexistent"}.name_of(0), "");
}

TEST(IdentityTest, OfThisProcess) {
  auto process = find_process(::getpid());
  ASSERT_TRUE(process) << process.error().message();
  UserNames users;
  auto identity = read_identity(*process, users);
  ASSERT_TRUE(identity) << identity.error().message();
  EXPECT_EQ(identity->key, process->key);
  EXPECT_EQ(identity->exe, process->exe);
  EXPECT_EQ(identity->uid, ::geteuid());
  EXPECT_NE(identity->command_line.find("attach_test"), std::string::npos);
  EXPECT_EQ(identity->user.empty(), users.name_of(::geteuid()).empty());
}

} // namespace
} // namespace mapscope
