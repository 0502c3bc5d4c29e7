// Whose a map of the kernel is, from those who keep it.
#include <gtest/gtest.h>

#include "pipeline/bpf_maps/map_holders.h"

namespace mapscope {
namespace {

BpfMapHolder holder(const std::string &exe, CgroupIdentity cgroup = {}) {
  BpfMapHolder holder;
  holder.process.exe = exe;
  holder.process.cgroup = std::move(cgroup);
  return holder;
}

MapFactsAnswer complete() {
  MapFactsAnswer answer;
  answer.knows_holders = true;
  return answer;
}

TEST(BpfMapOwnerTest, AContainerBeforeAUnitBeforeAProgram) {
  const std::string id(64, 'a');
  BpfMapFacts map;
  map.holders = {holder("/usr/bin/agent", {.container_id = id, .unit = "docker.service"}),
                 holder("/usr/bin/helper", {.container_id = id, .unit = "docker.service"})};
  EXPECT_EQ(bpf_map_owner(map, complete()), "container aaaaaaaaaaaa");
  map.holders[1].process.cgroup.container_id = std::string(64, 'b');
  EXPECT_EQ(bpf_map_owner(map, complete()), "docker.service");
  map.holders[1].process.cgroup.unit = "ssh.service";
  EXPECT_EQ(bpf_map_owner(map, complete()), "");
  map.holders[1].process.exe = "/usr/bin/agent";
  EXPECT_EQ(bpf_map_owner(map, complete()), "/usr/bin/agent");
}

TEST(BpfMapOwnerTest, HoldersOfWhomNothingIsKnownShareNothing) {
  BpfMapFacts map;
  map.holders = {holder("/usr/bin/agent", {.unit = "agent.service"}), holder("")};
  EXPECT_EQ(bpf_map_owner(map, complete()), "");
}

TEST(BpfMapOwnerTest, WithoutHoldersItIsPinnedOrTheKernels) {
  BpfMapFacts map;
  EXPECT_EQ(bpf_map_owner(map, complete()), ""); // in another map, perhaps
  map.programs = {{.id = 12, .name = "count", .type = "xdp"}};
  EXPECT_EQ(bpf_map_owner(map, complete()), "kernel");
  MapFactsAnswer pinned = complete();
  pinned.pinned_programs = {12};
  EXPECT_EQ(bpf_map_owner(map, pinned), "pinned");
  map.pinned_paths = {"/sys/fs/bpf/flows"};
  EXPECT_EQ(bpf_map_owner(map, complete()), "pinned");
}

TEST(BpfMapOwnerTest, WhereNotEverybodyWasAskedNobodyIsNamed) {
  BpfMapFacts map;
  map.pinned_paths = {"/sys/fs/bpf/flows"};
  map.programs = {{.id = 12, .name = "count", .type = "xdp"}};
  EXPECT_EQ(bpf_map_owner(map, {}), "");
}

} // namespace
} // namespace mapscope
