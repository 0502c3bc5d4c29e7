// Programs that look up, update and delete at known numbers, against the bounds that are told.
#include "kernel/bpf_maps/program_calls.h"

#include <array>
#include <cstring>
#include <functional>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handle.h"
#include "support/bpf_code.h"

namespace mapscope {
namespace {

using testing::BpfCode;

constexpr std::uint32_t kRuns = 1000;
constexpr int kKey = -8, kValue = -16; // on the stack

struct TestMap {
  Fd fd;
  std::uint32_t id = 0;
};

TestMap make_test_map(bpf_map_type type, std::uint32_t key_bytes, std::uint32_t value_bytes,
                      const bpf_map_create_opts *options = nullptr,
                      std::uint32_t max_entries = 16) {
  TestMap map;
  map.fd = Fd{bpf_map_create(type, "rates", key_bytes, value_bytes, max_entries, options)};
  EXPECT_TRUE(map.fd) << std::strerror(errno);
  bpf_map_info info{};
  __u32 bytes = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(map.fd.get(), &info, &bytes), 0);
  map.id = info.id;
  return map;
}

TestMap make_test_hash() { return make_test_map(BPF_MAP_TYPE_HASH, 4, 8); }

// Key {32, 0}: a prefix length for the trie, a number for all others.
BpfCode with_key() {
  return BpfCode{}
      .store_constant(BPF_W, BPF_REG_10, kKey, 3)
      .store_constant(BPF_W, BPF_REG_10, kKey + 4, 0)
      .store_constant(BPF_DW, BPF_REG_10, kValue, 1);
}

// 5 instructions; updates take 8.
BpfCode &add_call(BpfCode &code, const Fd &map, std::int32_t helper) {
  code.map(BPF_REG_1, map.get()).copy(BPF_REG_2, BPF_REG_10).add(BPF_REG_2, kKey);
  if (helper == BPF_FUNC_map_update_elem)
    code.copy(BPF_REG_3, BPF_REG_10).add(BPF_REG_3, kValue).set(BPF_REG_4, 0);
  return code.call(helper);
}

Fd load(const BpfCode &code, bpf_prog_type type = BPF_PROG_TYPE_SOCKET_FILTER) {
  std::array<char, 16384> words{};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.log_level = 1;
  options.log_buf = words.data();
  options.log_size = words.size();
  Fd program{bpf_prog_load(type, "rates", "GPL", code.instructions().data(),
                           code.instructions().size(), &options)};
  EXPECT_TRUE(program) << std::strerror(errno) << "\n" << words.data();
  return program;
}

std::uint32_t program_id(const Fd &program) {
  bpf_prog_info info{};
  __u32 bytes = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(program.get(), &info, &bytes), 0);
  return info.id;
}

void run(const Fd &program, std::uint32_t times = kRuns) {
  std::array<std::byte, 64> packet{};
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = packet.data();
  options.data_size_in = packet.size();
  options.repeat = static_cast<int>(times);
  ASSERT_EQ(bpf_prog_test_run_opts(program.get(), &options), 0) << std::strerror(errno);
}

class ProgramCallsBpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "loading BPF programs needs root";
    const auto begun = calls_.begin();
    if (!begun && begun.error().code() != Errc::system)
      GTEST_SKIP() << begun.error().message();
    ASSERT_TRUE(begun) << begun.error().message();
    ASSERT_TRUE(calls_.end());
  }

  // What is told of a map, of a window in which that happens.
  ProgramCallRates rates_of(const TestMap &map, const std::function<void()> &happens) {
    const auto begun = calls_.begin();
    EXPECT_TRUE(begun) << begun.error().message();
    const auto since_ns = now_ns();
    happens();
    seconds_least_ = static_cast<double>(now_ns() - since_ns) / 1e9;
    answer_ = calls_.end().value_or(ProgramCallsAnswer{});
    seconds_most_ = static_cast<double>(answer_.window_ns) / 1e9;
    EXPECT_TRUE(answer_.rates.contains(map.id));
    return answer_.rates[map.id];
  }

  // The bounds hold for so many calls in the window: whatever part of it was the program's.
  void expect_bounds(const BpfRate &rate, double calls, bool is_exact) const {
    EXPECT_LE(rate.lower * seconds_least_, calls * 1.000001);
    ASSERT_TRUE(rate.upper) << rate.note;
    EXPECT_GE(*rate.upper * seconds_most_, calls * 0.999999);
    ASSERT_TRUE(rate.estimate) << rate.note;
    EXPECT_GE(*rate.estimate, rate.lower);
    EXPECT_LE(*rate.estimate, *rate.upper);
    if (is_exact) {
      EXPECT_EQ(rate.lower, *rate.upper);
      EXPECT_EQ(rate.note, "");
    } else {
      EXPECT_LT(rate.lower, *rate.upper);
    }
  }

  ProgramCalls calls_ = ProgramCalls::start();
  ProgramCallsAnswer answer_;
  double seconds_least_ = 0, seconds_most_ = 0;
};

TEST_F(ProgramCallsBpfTest, TellsWhatEachRunDoesInEveryKindOfMap) {
  for (auto type :
       {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY,
        BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_LPM_TRIE}) {
    SCOPED_TRACE(libbpf_bpf_map_type_str(type));
    const bool is_trie = type == BPF_MAP_TYPE_LPM_TRIE;
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = is_trie ? BPF_F_NO_PREALLOC : 0;
    const auto map = make_test_map(type, is_trie ? 8 : 4, 8, &options);
    BpfCode code = with_key();
    for (auto helper :
         {BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem, BPF_FUNC_map_lookup_elem,
          BPF_FUNC_map_delete_elem, BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem})
      add_call(code, map.fd, helper);
    const Fd program = load(code.set(BPF_REG_0, 0).exit());
    const auto rates = rates_of(map, [&] { run(program); });
    expect_bounds(rates.lookups, 3.0 * kRuns, true);
    expect_bounds(rates.updates, 2.0 * kRuns, true);
    expect_bounds(rates.deletes, 1.0 * kRuns, true);
  }
}

TEST_F(ProgramCallsBpfTest, TellsNothingOfWhoDoesNotRun) {
  const auto map = make_test_hash();
  BpfCode code = with_key();
  const Fd program =
      load(add_call(code, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit());
  const auto rates = rates_of(map, [] {});
  EXPECT_EQ(rates.lookups.estimate, 0.0);
  EXPECT_EQ(rates.lookups.upper, 0.0);
  EXPECT_EQ(rates.deletes.estimate, 0.0);
}

TEST_F(ProgramCallsBpfTest, BoundsWhatDependsOnTheEntry) {
  const auto map = make_test_hash();
  BpfCode code = with_key(); // the second lookup only where the first found nothing: always
  add_call(code, map.fd, BPF_FUNC_map_lookup_elem).jump_if(BPF_JNE, BPF_REG_0, 0, 5);
  add_call(code, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit();
  const Fd program = load(code);
  const auto rates = rates_of(map, [&] { run(program); });
  expect_bounds(rates.lookups, 2.0 * kRuns, false);
}

TEST_F(ProgramCallsBpfTest, ALoopHasALowerBoundOnly) {
  const auto map = make_test_hash();
  BpfCode code = with_key();
  code.set(BPF_REG_6, 0);
  add_call(code, map.fd, BPF_FUNC_map_lookup_elem)
      .add(BPF_REG_6, 1)
      .jump_if(BPF_JLT, BPF_REG_6, 10, -7)
      .set(BPF_REG_0, 0)
      .exit();
  const Fd program = load(code);
  const auto rates = rates_of(map, [&] { run(program); });
  EXPECT_LE(rates.lookups.lower * seconds_least_, 10.0 * kRuns);
  EXPECT_GE(rates.lookups.lower * seconds_most_, 1.0 * kRuns * 0.999999);
  EXPECT_FALSE(rates.lookups.upper);
  EXPECT_FALSE(rates.lookups.estimate);
  EXPECT_NE(rates.lookups.note, "");
  EXPECT_EQ(rates.updates.upper, 0.0) << "it makes none";
  const auto at_rest = rates_of(map, [] {});
  EXPECT_EQ(at_rest.lookups.upper, 0.0) << at_rest.lookups.note;
}

TEST_F(ProgramCallsBpfTest, FunctionsOfAProgramAreFollowed) {
  const auto map = make_test_hash();
  BpfCode code; // two calls of the function that follows
  code.call_function(3, true).call_function(2, true).set(BPF_REG_0, 0).exit();
  const BpfCode key = with_key();
  for (const bpf_insn &store : key.instructions())
    code.raw(store.code, store.dst_reg, store.src_reg, store.off, store.imm);
  const Fd program =
      load(add_call(code, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit());
  const auto rates = rates_of(map, [&] { run(program); });
  expect_bounds(rates.lookups, 2.0 * kRuns, true);
}

TEST_F(ProgramCallsBpfTest, SeveralProgramsAddUp) {
  const auto map = make_test_hash();
  BpfCode once = with_key(), twice = with_key();
  const Fd first = load(add_call(once, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit());
  add_call(twice, map.fd, BPF_FUNC_map_lookup_elem);
  const Fd second =
      load(add_call(twice, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit());
  const auto rates = rates_of(map, [&] {
    run(first);
    run(second, 2 * kRuns);
  });
  expect_bounds(rates.lookups, 5.0 * kRuns, true);
}

TEST_F(ProgramCallsBpfTest, TargetsOfTailCallsHaveNoUpperBound) {
  const auto map = make_test_hash();
  const auto table = make_test_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4);
  BpfCode code = with_key();
  const Fd target = load(add_call(code, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit());
  const std::uint32_t slot = 2;
  const int target_fd = target.get();
  const Fd caller = load(BpfCode{}
                             .map(BPF_REG_2, table.fd.get())
                             .set(BPF_REG_3, static_cast<std::int32_t>(slot))
                             .call(BPF_FUNC_tail_call)
                             .set(BPF_REG_0, 0)
                             .exit());
  ASSERT_EQ(bpf_map_update_elem(table.fd.get(), &slot, &target_fd, BPF_ANY), 0);
  const auto rates = rates_of(map, [&] { run(caller); });
  EXPECT_EQ(rates.lookups.lower, 0);
  EXPECT_FALSE(rates.lookups.upper);
  EXPECT_NE(rates.lookups.note.find("tail call"), std::string::npos) << rates.lookups.note;
  EXPECT_EQ(rates.deletes.upper, 0.0);
}

// Of a type that no other test uses, since this concerns all programs of its type.
TEST_F(ProgramCallsBpfTest, AnyProgramMayBeInATableThatIsTooLargeToRead) {
  constexpr auto kType = BPF_PROG_TYPE_SCHED_ACT;
  const auto map = make_test_hash();
  const auto table = make_test_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, nullptr, 100'000);
  BpfCode code = with_key();
  const Fd program =
      load(add_call(code, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit(), kType);
  const Fd caller = load(BpfCode{}
                             .map(BPF_REG_2, table.fd.get())
                             .set(BPF_REG_3, 1)
                             .call(BPF_FUNC_tail_call)
                             .set(BPF_REG_0, 0)
                             .exit(),
                         kType);
  const auto rates = rates_of(map, [&] { run(program); });
  EXPECT_GE(rates.lookups.lower * seconds_most_, kRuns * 0.999999);
  EXPECT_FALSE(rates.lookups.upper);
  EXPECT_NE(rates.lookups.note.find("may be"), std::string::npos) << rates.lookups.note;
  EXPECT_FALSE(answer_.problems.empty());
}

TEST_F(ProgramCallsBpfTest, AMapInAMapHasAnUpperBound) {
  const auto inner = make_test_hash();
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.inner_map_fd = static_cast<__u32>(inner.fd.get());
  const auto outer = make_test_map(BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, &options);
  const std::uint32_t key = 3;
  const int inner_fd = inner.fd.get();
  ASSERT_EQ(bpf_map_update_elem(outer.fd.get(), &key, &inner_fd, BPF_ANY), 0);
  BpfCode code = with_key();
  add_call(code, outer.fd, BPF_FUNC_map_lookup_elem).jump_if(BPF_JEQ, BPF_REG_0, 0, 4);
  code.copy(BPF_REG_1, BPF_REG_0).copy(BPF_REG_2, BPF_REG_10).add(BPF_REG_2, kKey);
  const Fd program = load(code.call(BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit());
  const auto rates = rates_of(inner, [&] { run(program); });
  EXPECT_EQ(rates.lookups.lower, 0);
  ASSERT_TRUE(rates.lookups.upper);
  EXPECT_GE(*rates.lookups.upper * seconds_most_, kRuns * 0.999999);
  EXPECT_FALSE(rates.lookups.estimate);
  expect_bounds(answer_.rates[outer.id].lookups, kRuns, true);
}

TEST_F(ProgramCallsBpfTest, ProgramsMayStartAndEndMeanwhile) {
  const auto map = make_test_hash();
  BpfCode code = with_key();
  add_call(code, map.fd, BPF_FUNC_map_lookup_elem).set(BPF_REG_0, 0).exit();
  Fd program;
  const auto started = rates_of(map, [&] {
    program = load(code);
    run(program);
  });
  EXPECT_GE(started.lookups.lower * seconds_most_, kRuns * 0.999999);
  EXPECT_LE(started.lookups.lower * seconds_least_, kRuns * 1.000001);
  const auto ended = rates_of(map, [&] {
    const auto is_gone = [id = program_id(program)] {
      const Fd again{bpf_prog_get_fd_by_id(id)};
      return !again;
    };
    run(program);
    program.reset();
    for (int i = 0; i < 2000 && !is_gone(); ++i) // an RCU grace period
      ::usleep(5000);
    EXPECT_TRUE(is_gone());
  });
  EXPECT_EQ(ended.lookups.lower, 0);
  EXPECT_FALSE(ended.lookups.upper);
  EXPECT_NE(ended.lookups.note.find("ended"), std::string::npos) << ended.lookups.note;
}

TEST_F(ProgramCallsBpfTest, AWindowHasToBeBegun) {
  const auto answer = calls_.end();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::usage);
}

} // namespace
} // namespace mapscope
