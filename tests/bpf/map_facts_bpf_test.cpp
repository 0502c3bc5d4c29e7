// What is told of the kernel's maps, against what bpftool tells and against what the test itself
// made: types, memory, pins, programs, holders, times.
#include "kernel/bpf_maps/map_facts.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sched.h>
#include <thread>

#include <bpf/bpf.h>
#include <cap-ng.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/bpf_maps/held_objects.h"
#include "kernel/bpf_maps/map_memory.h"
#include "pipeline/bpf_maps/map_holders.h"
#include "support/every_bpf_map.h"
#include "support/staying_child.h"

namespace mapscope {
namespace {

using namespace testing;

const BpfMapFacts *find(const MapFactsAnswer &answer, std::uint32_t id) {
  const auto found = std::ranges::find(answer.maps, id, &BpfMapFacts::id);
  return found == answer.maps.end() ? nullptr : &*found;
}

std::uint32_t program_id(const Fd &program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(program.get(), &info, &size) == 0 ? info.id : 0;
}

// A program that names the map, and does nothing with it.
Fd load_program_with(const Fd &map) {
  bpf_insn take{}, upper{}, result{}, leave{};
  take.code = BPF_LD | BPF_DW | BPF_IMM;
  take.dst_reg = BPF_REG_1;
  take.src_reg = BPF_PSEUDO_MAP_FD;
  take.imm = map.get();
  result.code = BPF_ALU64 | BPF_MOV | BPF_K;
  leave.code = BPF_JMP | BPF_EXIT;
  const std::array code{take, upper, result, leave};
  return Fd{bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "ms_facts", "GPL", code.data(), code.size(),
                          nullptr)};
}

// A directory of this test's own, to mount something on.
class ScratchDirectory {
public:
  ScratchDirectory() {
    char name[] = "/tmp/mapscope_bpffs_XXXXXX";
    if (::mkdtemp(name) != nullptr)
      path_ = name;
  }
  ~ScratchDirectory() { ::rmdir(path_.c_str()); }
  const std::string &path() const { return path_; }

private:
  std::string path_;
};

// A BPF file system of this test's own.
class ScratchBpffs {
public:
  ScratchBpffs() : is_mounted_(::mount("none", path().c_str(), "bpf", 0, nullptr) == 0) {}
  ~ScratchBpffs() {
    if (is_mounted_)
      ::umount2(path().c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return is_mounted_; }
  const std::string &path() const { return directory_.path(); }

private:
  ScratchDirectory directory_;
  bool is_mounted_ = false;
};

// In a mount namespace of the caller's own, where no namespace that others make has a copy of it.
bool mount_bpffs_in_own_namespace(const std::string &path) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", path.c_str(), "bpf", 0, nullptr) == 0;
}

class MapFactsBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "looking at the kernel's maps needs root";
    if (auto map = make_bpf_map("hash", "ms_facts", 4); !map)
      GTEST_SKIP() << "no map can be made here: " << map.error().message();
  }

  MapFactsAnswer look() {
    auto answer = find_bpf_maps();
    EXPECT_TRUE(answer) << answer.error().message();
    return answer ? *std::move(answer) : MapFactsAnswer{};
  }
};

nlohmann::json as_bpftool_shows(std::uint32_t id) {
  const std::string command = fmt::format("bpftool -j map show id {} 2>/dev/null", id);
  const Handle<FILE, ::pclose> output{::popen(command.c_str(), "r")};
  std::string text;
  std::array<char, 4096> piece;
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), output.get()))
    text.append(piece.data(), size);
  return nlohmann::json::parse(text, nullptr, false);
}

TEST_F(MapFactsBpfTest, EachFieldIsAsBpftoolShowsIt) {
  const EveryBpfMap made = EveryBpfMap::make(BpfMapLevel::some);
  const MapFactsAnswer answer = look();
  if (!as_bpftool_shows(made.maps().front().id).is_object())
    GTEST_SKIP() << "bpftool is not there, or not for this kernel";
  for (const MadeBpfMap &map : made.maps()) {
    const BpfMapFacts *facts = find(answer, map.id);
    ASSERT_NE(facts, nullptr) << map.type;
    const nlohmann::json shown = as_bpftool_shows(map.id);
    ASSERT_TRUE(shown.is_object()) << map.type;
    if (shown["type"].is_string()) { // a number where bpftool is older than the kernel
      EXPECT_EQ(facts->type, shown["type"]);
    }
    EXPECT_EQ(facts->type, map.type);
    EXPECT_EQ(facts->name, shown.value("name", ""));
    EXPECT_EQ(facts->key_bytes, shown["bytes_key"]) << map.type;
    EXPECT_EQ(facts->value_bytes, shown["bytes_value"]) << map.type;
    EXPECT_EQ(facts->max_entries, shown["max_entries"]) << map.type;
    EXPECT_EQ(facts->flags, shown["flags"]) << map.type;
    EXPECT_EQ(facts->is_frozen, shown["frozen"] == 1) << map.type;
    EXPECT_EQ(facts->btf_id, shown.value("btf_id", 0u)) << map.type;
    EXPECT_EQ(facts->extra, map.extra) << map.type;
    if (facts->memory_bytes) {
      EXPECT_EQ(*facts->memory_bytes, shown["bytes_memlock"]) << map.type;
    }
    EXPECT_TRUE(facts->problem.empty()) << facts->problem;
  }
  EXPECT_GE(made.maps().size(), 20u);
}

TEST_F(MapFactsBpfTest, NothingIsLeftOut) {
  const auto before = make_bpf_map("array", "ms_first", 4);
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 0; bpf_map_get_next_id(id, &id) == 0;)
    ids.push_back(id);
  const MapFactsAnswer answer = look();
  EXPECT_TRUE(std::ranges::is_sorted(answer.maps, {}, &BpfMapFacts::id));
  for (const std::uint32_t id : ids)
    if (find(answer, id) == nullptr) { // somebody else's, and gone since
      EXPECT_FALSE(open_bpf_map(id)) << id;
    }
  EXPECT_NE(find(answer, before->id), nullptr);
}

TEST_F(MapFactsBpfTest, MemoryIsToldWhereItIsMemory) {
  const auto map = make_bpf_map("hash", "ms_memory", 4096, BPF_F_NO_PREALLOC);
  ASSERT_TRUE(map) << map.error().message();
  const MapFactsAnswer empty = look();
  ASSERT_TRUE(put_bpf_keys(*map, 0, 4096));
  const MapFactsAnswer full = look();
  const BpfMapFacts &before = *find(empty, map->id), &after = *find(full, map->id);
  EXPECT_EQ(after.memory_method, bpf_memory_method());
  switch (after.memory_method) {
  case BpfMemoryMethod::accounted: // 4,096 elements, each more than its key and value
    EXPECT_GT(*after.memory_bytes, *before.memory_bytes + std::uint64_t{4096} * 12);
    break;
  case BpfMemoryMethod::charged:
    EXPECT_EQ(after.memory_bytes, before.memory_bytes);
    break;
  case BpfMemoryMethod::arithmetic:
  case BpfMemoryMethod::unknown:
    EXPECT_FALSE(after.memory_bytes);
  }
  const auto storage = make_bpf_map("cpumap", "ms_cpumap", 2, 0, 4, 4);
  if (storage) { // its elements are in no figure of the kernel
    const MapFactsAnswer answer = look();
    EXPECT_FALSE(find(answer, storage->id)->memory_bytes);
  }
}

TEST_F(MapFactsBpfTest, TypesAreWrittenAsInC) {
  const auto map = make_hash_with_btf("ms_typed", 16);
  ASSERT_TRUE(map) << map.error().message();
  const auto bare = make_bpf_map("hash", "ms_bare", 16);
  const MapFactsAnswer answer = look();
  const BpfMapFacts *facts = find(answer, map->id);
  ASSERT_NE(facts, nullptr);
  EXPECT_NE(facts->btf_id, 0u);
  EXPECT_EQ(facts->key_type, "struct flow_key");
  EXPECT_EQ(facts->value_type, "unsigned long long");
  EXPECT_EQ(find(answer, bare->id)->key_type, "");
  EXPECT_EQ(find(answer, bare->id)->btf_id, 0u);
}

TEST_F(MapFactsBpfTest, AFrozenMapIsSaid) {
  const auto map = make_bpf_map("array", "ms_frozen", 4, BPF_F_RDONLY_PROG);
  ASSERT_TRUE(map);
  EXPECT_EQ(find(look(), map->id)->is_frozen, false);
  ASSERT_EQ(bpf_map_freeze(map->fd.get()), 0);
  const MapFactsAnswer answer = look();
  EXPECT_EQ(find(answer, map->id)->is_frozen, true);
  EXPECT_EQ(find(answer, map->id)->flag_names, std::vector<std::string>{"BPF_F_RDONLY_PROG"});
}

TEST_F(MapFactsBpfTest, PinsAreFoundWhereverAFileSystemIsMounted) {
  const ScratchBpffs bpffs;
  if (!bpffs.is_mounted())
    GTEST_SKIP() << "no BPF file system can be mounted here";
  auto map = make_bpf_map("hash", "ms_pinned", 16);
  ASSERT_TRUE(map);
  const std::string top = bpffs.path() + "/flows", deep = bpffs.path() + "/a/b/fl\x1bows";
  ASSERT_TRUE(std::filesystem::create_directories(bpffs.path() + "/a/b"));
  const std::uint64_t before = now_ns(CLOCK_REALTIME);
  ASSERT_EQ(bpf_obj_pin(map->fd.get(), top.c_str()), 0);
  ASSERT_EQ(bpf_obj_pin(map->fd.get(), deep.c_str()), 0);
  std::filesystem::create_symlink(top, bpffs.path() + "/link");
  map->fd.reset();
  MapFactsAnswer answer = look();
  const BpfMapFacts *facts = find(answer, map->id);
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->pinned_paths,
            (std::vector<std::string>{bpffs.path() + "/a/b/fl?ows", bpffs.path() + "/flows"}));
  ASSERT_TRUE(facts->created_before_wall_ns);
  // The clock of files goes in ticks, so it may lag behind by one.
  EXPECT_GT(*facts->created_before_wall_ns + 100'000'000, before);
  EXPECT_LE(*facts->created_before_wall_ns, now_ns(CLOCK_REALTIME));
  EXPECT_TRUE(facts->created_by_word.ends_with(" was there")) << facts->created_by_word;
  UserNames users;
  name_bpf_map_holders(answer, users);
  if (answer.knows_holders) {
    EXPECT_EQ(find(answer, map->id)->owner, "pinned");
  }
}

TEST_F(MapFactsBpfTest, PinsOfOtherMountNamespacesAreFoundThroughTheirProcesses) {
  const auto map = make_bpf_map("hash", "ms_elsewhere", 16);
  ASSERT_TRUE(map);
  const ScratchDirectory directory;
  const StayingChild child{[&] {
    return mount_bpffs_in_own_namespace(directory.path()) &&
           bpf_obj_pin(map->fd.get(), (directory.path() + "/pin").c_str()) == 0;
  }};
  if (!child.is_ready())
    GTEST_SKIP() << "no mount namespace with a BPF file system can be made here";
  const MapFactsAnswer answer = look();
  EXPECT_EQ(
      find(answer, map->id)->pinned_paths,
      std::vector<std::string>{fmt::format("/proc/{}/root{}/pin", child.pid(), directory.path())});
}

TEST_F(MapFactsBpfTest, MountsOfStrangersAreNotEntered) {
  const ScratchDirectory directory;
  const StayingChild child{[&] {
    return mount_bpffs_in_own_namespace(directory.path()) &&
           ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  }};
  if (!child.is_ready())
    GTEST_SKIP() << "no user namespace with a BPF file system can be made here";
  const MapFactsAnswer answer = look();
  EXPECT_FALSE(answer.knows_holders);
  EXPECT_TRUE(std::ranges::any_of(answer.problems, [&](const std::string &problem) {
    return problem.contains(directory.path());
  }));
}

TEST_F(MapFactsBpfTest, ProgramsThatUseAMapAreNamedAndDateIt) {
  auto map = make_bpf_map("hash", "ms_used", 16);
  ASSERT_TRUE(map);
  const std::uint64_t before = now_ns(CLOCK_REALTIME);
  const Fd program = load_program_with(map->fd);
  ASSERT_TRUE(program) << std::strerror(errno);
  const std::uint64_t after = now_ns(CLOCK_REALTIME);
  map->fd.reset();
  MapFactsAnswer answer = look();
  const BpfMapFacts *facts = find(answer, map->id);
  ASSERT_NE(facts, nullptr);
  ASSERT_EQ(facts->programs.size(), 1u);
  EXPECT_EQ(facts->programs[0].id, program_id(program));
  EXPECT_EQ(facts->programs[0].name, "ms_facts");
  EXPECT_EQ(facts->programs[0].type, "socket_filter");
  ASSERT_TRUE(facts->created_before_wall_ns);
  EXPECT_GE(*facts->created_before_wall_ns, before - 100'000'000); // clocks are slewed
  EXPECT_LE(*facts->created_before_wall_ns, after + 100'000'000);
  EXPECT_EQ(facts->created_by_word, fmt::format("program {} was loaded", program_id(program)));
  UserNames users;
  name_bpf_map_holders(answer, users);
  facts = find(answer, map->id);
  ASSERT_EQ(facts->holders.size(), 1u);
  EXPECT_EQ(facts->holders[0].process.key.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_FALSE(facts->holders[0].directly);
  EXPECT_FALSE(facts->holders[0].process.exe.empty());
}

TEST_F(MapFactsBpfTest, APinnedProgramKeepsItsMapPinned) {
  const ScratchBpffs bpffs;
  if (!bpffs.is_mounted())
    GTEST_SKIP() << "no BPF file system can be mounted here";
  auto map = make_bpf_map("hash", "ms_kept", 16);
  ASSERT_TRUE(map);
  Fd program = load_program_with(map->fd);
  ASSERT_EQ(bpf_obj_pin(program.get(), (bpffs.path() + "/program").c_str()), 0);
  const std::uint32_t id = program_id(program);
  program.reset();
  map->fd.reset();
  MapFactsAnswer answer = look();
  EXPECT_TRUE(answer.pinned_programs.contains(id));
  UserNames users;
  name_bpf_map_holders(answer, users);
  ASSERT_NE(find(answer, map->id), nullptr);
  EXPECT_TRUE(find(answer, map->id)->holders.empty());
  if (answer.knows_holders) {
    EXPECT_EQ(find(answer, map->id)->owner, "pinned");
  }
}

TEST_F(MapFactsBpfTest, AnotherProcessThatHoldsTheLastDescriptorIsFound) {
  auto map = make_bpf_map("hash", "ms_held", 16);
  ASSERT_TRUE(map);
  const StayingChild child{[] { return true; }}; // it has the parent's descriptors
  map->fd.reset();
  const MapFactsAnswer answer = look();
  ASSERT_NE(find(answer, map->id), nullptr);
  const auto held = std::ranges::find(answer.held, map->id, &HeldMap::map_id);
  ASSERT_NE(held, answer.held.end());
  EXPECT_EQ(held->process.pid, child.pid());
  EXPECT_NE(held->process.start_time_ns, 0u);
  EXPECT_TRUE(held->directly);
  EXPECT_FALSE(held->by_program);
}

TEST_F(MapFactsBpfTest, BothWaysToFindHoldersAgree) {
  const auto map = make_bpf_map("hash", "ms_both", 16);
  ASSERT_TRUE(map);
  const Fd program = load_program_with(map->fd);
  ASSERT_TRUE(program);
  const auto pid = static_cast<std::uint32_t>(::getpid());
  const HeldObject direct{pid, HeldObjectKind::map, map->id};
  const HeldObject through{pid, HeldObjectKind::program, program_id(program)};
  const auto has_both = [&](const HeldObjects &held) {
    return std::ranges::count(held.objects, direct) == 1 &&
           std::ranges::count(held.objects, through) == 1;
  };
  EXPECT_TRUE(has_both(held_objects_by_proc()));
  const auto by_iterator = held_objects_by_iterator();
  if (!by_iterator)
    GTEST_SKIP() << "this kernel refuses the iterator: " << by_iterator.error().message();
  EXPECT_TRUE(has_both(*by_iterator));
  EXPECT_TRUE(by_iterator->is_complete);
}

TEST_F(MapFactsBpfTest, WhoHasNoTimeSaysSo) {
  const HeldObjects held = held_objects_by_proc({.descriptors_max = 1});
  EXPECT_FALSE(held.is_complete);
  EXPECT_FALSE(held.problem.empty());
}

TEST_F(MapFactsBpfTest, OwnIsWhatMapscopeHoldsWithItsProgram) {
  const auto own = make_bpf_map("hash", "ms_own", 16), seen = make_bpf_map("hash", "ms_seen", 16);
  ASSERT_TRUE(own && seen);
  const Fd program = load_program_with(own->fd);
  ASSERT_TRUE(program);
  MapFactsAnswer answer = look();
  UserNames users;
  name_bpf_map_holders(answer, users);
  EXPECT_TRUE(find(answer, own->id)->is_own);
  EXPECT_FALSE(find(answer, seen->id)->is_own); // a look at somebody's map
}

TEST_F(MapFactsBpfTest, MapsThatVanishMeanwhileAreNoError) {
  std::atomic<bool> is_over = false;
  std::thread maker{[&] {
    while (!is_over) {
      std::vector<Result<MadeBpfMap>> maps;
      for (int i = 0; i < 50; ++i)
        maps.push_back(make_bpf_map("array", "ms_brief", 1));
    }
  }};
  for (int i = 0; i < 20; ++i)
    for (const BpfMapFacts &map : look().maps)
      EXPECT_TRUE(map.problem.empty()) << map.problem;
  is_over = true;
  maker.join();
}

// In a child, since capabilities that are given up do not come back.
TEST_F(MapFactsBpfTest, WithoutCapabilitiesItIsDenied) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    capng_clear(CAPNG_SELECT_CAPS);
    const bool dropped = capng_apply(CAPNG_SELECT_CAPS) == 0;
    const auto answer = find_bpf_maps();
    ::_exit(dropped && !answer && answer.error().code() == Errc::denied ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

} // namespace
} // namespace mapscope
