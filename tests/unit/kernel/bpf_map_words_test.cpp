// What the kernel writes of its maps, read: words for numbers, fdinfo, mount tables.
#include <gtest/gtest.h>

#include "kernel/bpf_maps/held_objects.h"
#include "kernel/bpf_maps/map_memory.h"
#include "kernel/bpf_maps/map_names.h"
#include "kernel/bpf_maps/mount_table.h"

namespace mapscope {
namespace {

TEST(BpfMapWordsTest, TypesHaveTheNamesOfTheField) {
  EXPECT_EQ(bpf_map_type_name(1), "hash");
  EXPECT_EQ(bpf_map_type_name(27), "ringbuf");
  EXPECT_EQ(bpf_map_type_name(33), "arena");
  EXPECT_EQ(bpf_map_type_name(34), "insn_array");
  EXPECT_EQ(bpf_program_type_name(6), "xdp");
  EXPECT_EQ(bpf_program_type_name(26), "tracing");
  EXPECT_EQ(bpf_program_type_name(32), "netfilter");
}

TEST(BpfMapWordsTest, WhatANewerKernelHasIsANumber) {
  EXPECT_EQ(bpf_map_type_name(77), "type 77");
  EXPECT_EQ(bpf_map_type_name(UINT32_MAX), "type 4294967295");
  EXPECT_EQ(bpf_program_type_name(99), "type 99");
  EXPECT_EQ(bpf_map_flag_names(1U | 1U << 10 | 1U << 31),
            (std::vector<std::string>{"BPF_F_NO_PREALLOC", "BPF_F_MMAPABLE", "0x80000000"}));
  EXPECT_TRUE(bpf_map_flag_names(0).empty());
}

TEST(BpfMapWordsTest, ReadsTheDescriptorOfAMap) {
  const auto info = parse_map_descriptor_info("pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1057\n"
                                              "map_type:\t1\nkey_size:\t4\nvalue_size:\t8\n"
                                              "max_entries:\t16\nmap_flags:\t0x0\nmap_extra:\t0x0\n"
                                              "memlock:\t2864\nmap_id:\t301\nfrozen:\t1\n");
  EXPECT_EQ(info.memory_bytes, 2864u);
  EXPECT_EQ(info.is_frozen, true);
}

TEST(BpfMapWordsTest, WhatADescriptorDoesNotSayIsNotKnown) {
  for (const char *text : {"", "\n\n", "memlock:\t\nfrozen:\t", "memlock:\t-1\n", "memlock: 7\n",
                           "memlock:\t99999999999999999999\n", "xmemlock:\t1\nxfrozen:\t1\n"}) {
    const auto info = parse_map_descriptor_info(text);
    EXPECT_FALSE(info.memory_bytes) << text;
    EXPECT_FALSE(info.is_frozen) << text;
  }
}

TEST(BpfMapWordsTest, ADescriptorOfAMapAProgramOrALinkIsTold) {
  const auto map = parse_held_object("pos:\t0\nmap_type:\t1\nmap_id:\t301\nfrozen:\t0\n");
  EXPECT_EQ(map.kind, HeldObjectKind::map);
  EXPECT_EQ(map.id, 301u);
  const auto program =
      parse_held_object("prog_type:\t6\nprog_jited:\t1\nmemlock:\t4096\nprog_id:\t12\n");
  EXPECT_EQ(program.kind, HeldObjectKind::program);
  EXPECT_EQ(program.id, 12u);
  const auto link =
      parse_held_object("link_type:\traw_tracepoint\nlink_id:\t3\nprog_tag:\t00\nprog_id:\t13\n"
                        "tp_name:\tsys_enter\n");
  EXPECT_EQ(link.kind, HeldObjectKind::program);
  EXPECT_EQ(link.id, 13u);
  const auto struct_ops = parse_held_object("link_type:\tstruct_ops\nlink_id:\t4\nmap_id:\t9\n");
  EXPECT_EQ(struct_ops.kind, HeldObjectKind::map_by_link);
  EXPECT_EQ(struct_ops.id, 9u);
  EXPECT_EQ(parse_held_object("eventfd-count: 0\n").id, 0u);
  EXPECT_EQ(parse_held_object("map_id:\tx").id, 0u);
}

constexpr std::string_view kTable =
    "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "30 22 0:27 / /sys/fs/bpf rw,nosuid shared:9 master:2 - bpf bpf rw,mode=700\n"
    "31 22 0:27 /cilium /run/cilium/bpf rw - bpf none rw\n"
    "32 22 0:44 / /srv/with\\040blank rw - fuse.sshfs host:/ rw\n"
    "33 32 0:45 / /srv/with\\040blank/bpf rw - bpf none rw\n"
    "34 22 0:46 /part /other rw - bpf none rw\n";

TEST(MountTableTest, ReadsWhatTheKernelEscapes) {
  const auto table = parse_mount_table(kTable);
  ASSERT_EQ(table.size(), 6u);
  EXPECT_EQ(table[1].device, "0:27");
  EXPECT_EQ(table[1].type, "bpf");
  EXPECT_EQ(table[2].root, "/cilium");
  EXPECT_EQ(table[3].path, "/srv/with blank");
  EXPECT_EQ(table[3].type, "fuse.sshfs");
}

TEST(MountTableTest, LeavesOutWhatIsNoLine) {
  EXPECT_TRUE(parse_mount_table("").empty());
  EXPECT_TRUE(
      parse_mount_table("\n \n1 2 3\n1 2 0:1 / /x rw - \n1 2 0:1 / x rw - bpf b rw").empty());
  EXPECT_EQ(parse_mount_table("1 2 0:1 / /a\\04 rw - bpf b rw")[0].path, "/a\\04");
}

TEST(MountTableTest, APartOfAFileSystemIsNotWalkedTwice) {
  const auto mounts = bpf_mounts(parse_mount_table(kTable));
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_EQ(mounts[0].path, "/sys/fs/bpf");
  EXPECT_EQ(mounts[1].path, "/srv/with blank/bpf");
  EXPECT_EQ(mounts[2].path, "/other");
  EXPECT_TRUE(bpf_mounts(parse_mount_table(kTable), mounts).empty());
}

TEST(MountTableTest, NobodyIsWaitedFor) {
  const auto table = parse_mount_table(kTable);
  EXPECT_TRUE(is_behind_waiting_mount(table, "/srv/with blank/bpf", false));
  EXPECT_FALSE(is_behind_waiting_mount(table, "/sys/fs/bpf", false));
  EXPECT_FALSE(is_behind_waiting_mount(table, "/srv/with blankets", false));
  const auto remote = parse_mount_table("1 1 0:1 / / rw - nfs4 h:/ rw\n2 1 0:2 / /b rw - bpf b rw");
  EXPECT_FALSE(is_behind_waiting_mount(remote, "/b", false)); // of this host
  EXPECT_TRUE(is_behind_waiting_mount(remote, "/b", true));   // of a container
}

} // namespace
} // namespace mapscope
