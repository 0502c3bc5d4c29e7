// Updates and deletes by programs in a window: counted exactly where the kernel lets its update
// functions be traced, and said to be unseen where it does not.
#include <array>
#include <span>

#include "support/called_map.h"

namespace mapscope {
namespace {

using testing::CalledMap, testing::expect_outcome, testing::look_up, testing::make_hash,
    testing::make_map, testing::run_child, testing::update;

bpf_insn instruction(int code, int to, int from, int offset, std::int32_t number) {
  bpf_insn result{};
  result.code = static_cast<__u8>(code);
  result.dst_reg = static_cast<__u8>(to & 15);
  result.src_reg = static_cast<__u8>(from & 15);
  result.off = static_cast<__s16>(offset);
  result.imm = number;
  return result;
}

// A program in the making, whose runs call into maps.
class CallingProgram {
public:
  CallingProgram() { add(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, kValueAt, 77); }

  void update(const CalledMap &map, std::int32_t key) {
    point_to(map, key);
    add(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_10, 0, 0);
    add(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, kValueAt);
    add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, BPF_ANY);
    add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_update_elem);
  }

  void look_up(const CalledMap &map, std::int32_t key) {
    point_to(map, key);
    add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
  }

  void remove(const CalledMap &map, std::int32_t key) {
    point_to(map, key);
    add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_delete_elem);
  }

  Fd load() {
    add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
    add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return Fd{bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "calling", "GPL", code_.data(), code_.size(),
                            nullptr)};
  }

private:
  static constexpr int kKeyAt = -4, kValueAt = -16; // on the stack

  void add(int code, int to, int from, int offset, std::int32_t number) {
    code_.push_back(instruction(code, to, from, offset, number));
  }

  void point_to(const CalledMap &map, std::int32_t key) {
    add(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, kKeyAt, key);
    add(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map.fd.get());
    add(0, 0, 0, 0, 0); // the other half of it
    add(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0);
    add(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, kKeyAt);
  }

  std::vector<bpf_insn> code_;
};

int run_program(const Fd &program, int times) {
  std::array<std::byte, 64> packet{};
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
              .data_size_in = static_cast<__u32>(packet.size()), .repeat = times);
  return bpf_prog_test_run_opts(program.get(), &options);
}

std::vector<std::byte> key_of(std::uint32_t number) {
  std::vector<std::byte> key(sizeof(number));
  std::memcpy(key.data(), &number, sizeof(number));
  return key;
}

class CallWindowProgramsBpfTest : public testing::CallWindowTest {
protected:
  // Whether updates by programs are seen at all; if not, the answer says why.
  static bool are_seen(const CallWindowAnswer &answer) {
    EXPECT_EQ(answer.sees_programs, !answer.program_types.empty());
    EXPECT_EQ(answer.sees_programs, answer.sees_programs_of(BPF_MAP_TYPE_HASH));
    EXPECT_TRUE(answer.sees_programs || !answer.programs_unseen.empty());
    return answer.sees_programs;
  }
};

TEST_F(CallWindowProgramsBpfTest, ProgramsAreToldFromSystemCalls) {
  constexpr int kRuns = 300;
  const CalledMap full = make_hash(1), array = make_map(BPF_MAP_TYPE_ARRAY, 4, 4);
  CallingProgram calling;
  calling.update(full, 1);
  calling.update(full, 2); // there is room for one
  calling.remove(full, 9);
  calling.update(array, 3);
  const Fd program = calling.load();
  ASSERT_TRUE(program) << std::strerror(errno);
  const CallWindowAnswer answer = watch([&] {
    EXPECT_OK(update(full, 1));
    EXPECT_OK(run_program(program, kRuns));
    for (int i = 0; i < 5; ++i)
      EXPECT_ERROR(E2BIG, update(full, 3));
  });
  ASSERT_TRUE(answer.calls.contains(full.id));
  const MapCalls &calls = answer.calls.at(full.id);
  EXPECT_EQ(calls.updates, 6u);
  EXPECT_EQ(calls.system_failures, (std::map<int, std::uint64_t>{{E2BIG, 5}}));
  if (!are_seen(answer)) {
    EXPECT_EQ(calls.program_updates, 0u);
    EXPECT_TRUE(calls.program_failures.empty());
    GTEST_SKIP() << "programs are not seen here: " << answer.programs_unseen;
  }
  EXPECT_EQ(calls.program_updates, 2u * kRuns);
  EXPECT_EQ(calls.program_deletes, 1u * kRuns);
  EXPECT_EQ(calls.program_failures, (std::map<int, std::uint64_t>{{E2BIG, kRuns}}));
  ASSERT_TRUE(answer.sees_programs_of(BPF_MAP_TYPE_ARRAY));
  ASSERT_TRUE(answer.calls.contains(array.id));
  EXPECT_EQ(answer.calls.at(array.id).program_updates, 1u * kRuns);
}

TEST_F(CallWindowProgramsBpfTest, KeysThatProgramsLookUpAreSampled) {
  constexpr int kRuns = 200;
  const CalledMap map = make_hash(10), other = make_hash(10);
  CallingProgram calling;
  calling.look_up(map, 5);
  calling.look_up(other, 6);
  const Fd program = calling.load();
  ASSERT_TRUE(program) << std::strerror(errno);
  const CallWindowAnswer answer = watch(
      [&] {
        EXPECT_OK(run_program(program, kRuns));
        EXPECT_ERROR(ENOENT, look_up(map, 7)); // by the same function of the kernel
      },
      {map.id});
  ASSERT_TRUE(answer.calls.contains(map.id));
  EXPECT_FALSE(answer.calls.contains(other.id));
  const MapCalls &calls = answer.calls.at(map.id);
  EXPECT_EQ(calls.lookups, 1u);
  EXPECT_EQ(calls.looked_up_of, 1u + calls.program_lookups);
  EXPECT_EQ(calls.looked_up, std::vector(1, key_of(7)));
  if (!are_seen(answer))
    GTEST_SKIP() << "programs are not seen here: " << answer.programs_unseen;
  EXPECT_EQ(calls.program_lookups, 1u * kRuns);
  EXPECT_EQ(calls.program_looked_up, std::vector(kRuns, key_of(5)));
}

TEST_F(CallWindowProgramsBpfTest, WhatCantBeSeenIsSaidAgainEachTime) {
  const CallWindowAnswer first = watch([] {}), second = watch([] {});
  are_seen(first);
  EXPECT_EQ(first.programs_unseen, second.programs_unseen);
  EXPECT_EQ(first.program_types, second.program_types);
}

} // namespace
} // namespace mapscope
