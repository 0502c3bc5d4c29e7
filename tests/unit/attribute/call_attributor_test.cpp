// CallAttributor on records written by hand, with a symbolizer that knows ten addresses.
#include "attribute/call_attributor.h"

#include <cstring>
#include <map>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "bpf/contract/targets.h"

namespace mapscope {
namespace {

constexpr ProcessKey kProcess{.pid = 100, .start_time_ns = 5};
constexpr std::uint32_t kMmap = 9, kWrite = 1, kOpenat = 257; // amd64

// Link-time addresses, each the last byte of a call instruction in that function.
constexpr std::uint64_t kWrite1 = 0x1010, kPrint = 0x1110, kMarkTermination = 0x1210,
                        kNewTable = 0x2010, kRehash = 0x2110, kMapAssign = 0x2210, kNewMap = 0x2310,
                        kMapAccess = 0x2410, kFill = 0x5010, kMain = 0x5110;

class FakeSymbolizer final : public Symbolizer {
public:
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    ++requests;
    if (is_broken)
      return fail(Errc::gone, "the parser is gone");
    std::vector<SourceFrames> answers;
    for (ElfAddress address : addresses) {
      ++asked;
      auto known = names.find(address.value);
      answers.push_back(known == names.end() ? SourceFrames{} : known->second);
    }
    return answers;
  }

  unsigned requests = 0, asked = 0;
  bool is_broken = false;
  std::map<std::uint64_t, SourceFrames> names = {
      {kWrite1, {{"runtime.write1.abi0", "sys_linux_amd64.s", 100}}},
      {kPrint, {{"runtime.printstring", "print.go", 10}}},
      {kMarkTermination, {{"runtime.gcMarkTermination", "mgc.go", 1200}}},
      {kNewTable, {{"internal/runtime/maps.newTable", "table.go", 90}}},
      {kRehash,
       {{"internal/runtime/maps.(*table).grow", "table.go", 700, true},
        {"internal/runtime/maps.(*table).rehash", "table.go", 650}}},
      {kMapAssign, {{"runtime.mapassign_fast64", "runtime_fast64.go", 200}}},
      {kNewMap, {{"internal/runtime/maps.NewMap", "map.go", 250}}},
      {kMapAccess, {{"runtime.mapaccess1", "runtime.go", 50}}},
      {kFill, {{"main.put", "/src/main.go", 12, true}, {"main.fill", "/src/main.go", 20}}},
      {kMain, {{"main.main", "/src/main.go", 40}}},
  };
};

BinaryFacts facts_of_fake() {
  BinaryFacts facts;
  facts.text = {{0x1000}, 0x5000};
  for (auto [name, start] : std::initializer_list<std::pair<const char *, std::uint64_t>>{
           {"internal/runtime/maps.newTable", 0x2000},
           {"internal/runtime/maps.(*table).rehash", 0x2100},
           {"runtime.mapassign_fast64", 0x2200},
           {"internal/runtime/maps.NewMap", 0x2300}})
    facts.map_functions.push_back({name, {{start}, 0x100}});
  return facts;
}

system_call_event call_event(std::uint32_t number, std::uint64_t time_ns, std::uint32_t tid = 7) {
  system_call_event event{};
  event.header.time_ns = time_ns;
  event.header.tid = tid;
  event.number = number;
  event.goid = 3;
  event.call_class = CALL_CLASS_FILE;
  event.wants_result = 1;
  event.ip = kWrite1 + 1;
  return event;
}

system_call_result_event result_event(const system_call_event &call, std::int64_t result) {
  system_call_result_event event{};
  event.header.tid = call.header.tid;
  event.call_time_ns = call.header.time_ns;
  event.number = call.number;
  event.result = result;
  return event;
}

// A call that both witnesses saw, with return addresses just behind the given call sites.
system_call_detail_event detail_event(std::initializer_list<std::uint64_t> call_sites,
                                      std::uint64_t bias = 0) {
  system_call_detail_event event{};
  event.call = call_event(kWrite, 1);
  event.call.wants_result = 0;
  event.call.place = CALL_INSIDE;
  event.call.witnesses = WITNESS_WINDOW | WITNESS_STACK;
  event.call.ip = *call_sites.begin() + 1 + bias;
  std::size_t depth = 0;
  for (std::uint64_t site : call_sites)
    event.stack[depth++] = site + 1 + bias;
  std::strcpy(event.path, "/var/log/gc.log");
  return event;
}

class CallAttributorTest : public ::testing::Test {
protected:
  AttributedCall attributed(const system_call_detail_event &event) {
    attributor.add(event);
    auto calls = attributor.take();
    EXPECT_EQ(calls.size(), 1U);
    return calls.empty() ? AttributedCall{} : calls.front();
  }

  BinaryFacts facts = facts_of_fake();
  FakeSymbolizer symbolizer;
  CallAttributor attributor{kProcess, facts, symbolizer, 4};
};

TEST_F(CallAttributorTest, ACallWaitsForItsResult) {
  auto call = call_event(kWrite, 10);
  attributor.add(call);
  EXPECT_TRUE(attributor.take().empty());
  EXPECT_TRUE(attributor.add(result_event(call, -9)));
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].result, -9);
  EXPECT_EQ(calls[0].name, "write");
  EXPECT_EQ(calls[0].process, kProcess);
  EXPECT_EQ(calls[0].goroutine, 3U);
  EXPECT_TRUE(attributor.take().empty());
}

TEST_F(CallAttributorTest, AResultOfAnotherCallIsRefused) {
  auto call = call_event(kWrite, 10);
  EXPECT_FALSE(attributor.add(result_event(call, 0)));
  attributor.add(call);
  EXPECT_FALSE(attributor.add(result_event(call_event(kWrite, 9), 0)));
  EXPECT_FALSE(attributor.add(result_event(call_event(kMmap, 10), 0)));
  EXPECT_FALSE(attributor.add(result_event(call_event(kWrite, 10, 8), 0)));
  EXPECT_TRUE(attributor.take().empty());
  EXPECT_TRUE(attributor.add(result_event(call, 0)));
}

TEST_F(CallAttributorTest, ANewCallOfTheThreadEndsTheWaiting) {
  attributor.add(call_event(kWrite, 10));
  attributor.add(call_event(kOpenat, 20));
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].time_ns, 10U);
  EXPECT_EQ(calls[0].result, std::nullopt);
  EXPECT_EQ(attributor.counts().without_result, 1U);
}

TEST_F(CallAttributorTest, AtTheEndCallsAreHandedOnWithoutTheirResult) {
  for (std::uint32_t tid : {3U, 1U, 2U})
    attributor.add(call_event(kWrite, 10 * tid, tid));
  auto calls = attributor.take_all();
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].tid, 1U);
  EXPECT_EQ(calls[2].tid, 3U);
  EXPECT_EQ(attributor.counts().without_result, 3U);
}

TEST_F(CallAttributorTest, NoMoreThanItsLimitWait) {
  for (std::uint32_t tid = 0; tid < 5; ++tid)
    attributor.add(call_event(kWrite, 10, tid));
  EXPECT_EQ(attributor.take().size(), 1U);
  EXPECT_EQ(attributor.counts().waiting_full, 1U);
}

TEST_F(CallAttributorTest, ALatePathComesWithTheResult) {
  auto event = detail_event({kWrite1});
  event.call.wants_result = 1;
  event.path[0] = 0;
  event.path_is_argument = 1;
  event.path_missing = 1;
  attributor.add(event);
  auto result = result_event(event.call, 3);
  result.has_path = 1;
  std::strcpy(result.path, "/etc/hosts");
  EXPECT_TRUE(attributor.add(result));
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].path, "/etc/hosts");
  EXPECT_TRUE(calls[0].path_is_argument);
}

TEST_F(CallAttributorTest, NamesOperationSiteAndCauseFromTheStack) {
  auto call = attributed(detail_event(
      {kWrite1, kPrint, kMarkTermination, kNewTable, kRehash, kMapAssign, kFill, kMain}));
  EXPECT_EQ(call.place, CALL_INSIDE);
  EXPECT_EQ(call.witnesses, (Witnesses{true, true}));
  EXPECT_EQ(call.operation, "growth"); // newTable serves creation too: look further out
  ASSERT_TRUE(call.site);
  EXPECT_EQ(call.site->function, "main.put"); // inlined into main.fill
  EXPECT_EQ(call.site->line, 12U);
  ASSERT_TRUE(call.cause);
  EXPECT_NE(call.cause->find("gctrace"), std::string::npos);
  EXPECT_EQ(call.path, "/var/log/gc.log");
  EXPECT_EQ(call.stack.size(), 8U);
}

TEST_F(CallAttributorTest, TheSameHelperUnderNewMapIsCreation) {
  auto call = attributed(detail_event({kNewTable, kNewMap, kFill}));
  EXPECT_EQ(call.operation, "creation");
  EXPECT_EQ(call.cause, std::nullopt);
}

TEST_F(CallAttributorTest, AllocationStraightUnderAWriteIsAWrite) {
  auto event = detail_event({kMapAssign, kFill});
  event.call.place = CALL_UNDER_WRITE;
  event.call.witnesses = WITNESS_STACK;
  auto call = attributed(event);
  EXPECT_EQ(call.place, CALL_UNDER_WRITE);
  EXPECT_EQ(call.operation, "write");
}

TEST_F(CallAttributorTest, WithoutAStackTheWindowNamesTheOperation) {
  auto event = call_event(kMmap, 1);
  event.wants_result = 0;
  event.place = CALL_WINDOW_ONLY;
  event.witnesses = WITNESS_WINDOW;
  event.operation = MAP_OPERATION_NEW_MAP;
  attributor.add(event);
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].operation, "creation");
  EXPECT_EQ(calls[0].site, std::nullopt);
}

TEST_F(CallAttributorTest, AFunctionThatOnlyReadsMapsIsNoWitness) {
  auto event = detail_event({kWrite1, kMapAccess, kFill});
  event.call.map_pc = kMapAccess; // inside the kernel's merged ranges
  event.call.place = CALL_UNDER_WRITE;
  event.call.witnesses = WITNESS_STACK;
  auto call = attributed(event);
  EXPECT_EQ(call.kernel_place, CALL_UNDER_WRITE);
  EXPECT_EQ(call.place, CALL_OUTSIDE);
  EXPECT_EQ(call.witnesses, (Witnesses{false, false}));
  EXPECT_EQ(call.operation, std::nullopt);
}

TEST_F(CallAttributorTest, AnOpenWindowStaysWhenTheStackIsRefuted) {
  auto event = detail_event({kWrite1, kMapAccess, kFill});
  event.call.map_pc = kMapAccess;
  auto call = attributed(event);
  EXPECT_EQ(call.place, CALL_WINDOW_ONLY);
  EXPECT_EQ(call.witnesses, (Witnesses{true, false}));
}

// What the kernel side saw may lie beyond the recorded stack, or off the frame chain.
TEST_F(CallAttributorTest, AStackThatDoesNotShowTheFrameRefutesNothing) {
  auto event = detail_event({kWrite1, kFill});
  event.call.map_pc = kMapAccess;
  event.call.place = CALL_UNDER_WRITE;
  event.call.witnesses = WITNESS_STACK;
  EXPECT_EQ(attributed(event).place, CALL_UNDER_WRITE);
}

TEST_F(CallAttributorTest, AMapFunctionOffTheFrameChainNamesTheOperation) {
  auto event = detail_event({kWrite1, kFill});
  event.call.map_pc = kRehash;
  auto call = attributed(event);
  EXPECT_EQ(call.place, CALL_INSIDE);
  EXPECT_EQ(call.operation, "growth");
}

TEST_F(CallAttributorTest, TellsTheWeakFormOfTheWindow) {
  auto event = detail_event({kWrite1, kFill});
  event.call.place = CALL_WINDOW_ONLY;
  event.call.witnesses = WITNESS_WORD;
  auto call = attributed(event);
  EXPECT_TRUE(call.window_by_word);
  EXPECT_TRUE(call.witnesses.window);
  event.call.witnesses = WITNESS_WORD | WITNESS_WINDOW;
  EXPECT_FALSE(attributed(event).window_by_word);
}

TEST_F(CallAttributorTest, CCodeInsideAnOperationIsACause) {
  auto event = detail_event({0x7f0000001000, kRehash, kMapAssign, kFill});
  auto call = attributed(event);
  ASSERT_TRUE(call.cause);
  EXPECT_NE(call.cause->find("C code"), std::string::npos);
}

TEST_F(CallAttributorTest, AMappingOfAFileIsAFileCall) {
  auto event = call_event(kMmap, 1);
  event.wants_result = 0;
  event.call_class = CALL_CLASS_MEMORY;
  event.arguments[3] = MAP_PRIVATE | MAP_ANONYMOUS;
  attributor.add(event);
  event.arguments[3] = MAP_PRIVATE;
  attributor.add(event);
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].klass, CALL_CLASS_MEMORY);
  EXPECT_EQ(calls[1].klass, CALL_CLASS_FILE);
  EXPECT_EQ(calls[1].kernel_class, CALL_CLASS_MEMORY);
}

TEST_F(CallAttributorTest, NamingAMappingIsAMemoryCallAndOtherPrctlsAreNot) {
  auto event = call_event(157, 1); // prctl
  event.wants_result = 0;
  event.call_class = CALL_CLASS_MEMORY;
  event.arguments[0] = PR_SET_VMA;
  attributor.add(event);
  event.arguments[0] = PR_SET_NAME;
  attributor.add(event);
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].klass, CALL_CLASS_MEMORY);
  EXPECT_EQ(calls[1].klass, CALL_CLASS_PROCESS);
}

TEST_F(CallAttributorTest, TellsHowLongACallTook) {
  auto call = call_event(kWrite, 10);
  attributor.add(call);
  auto result = result_event(call, 4);
  result.header.time_ns = 35;
  EXPECT_TRUE(attributor.add(result));
  EXPECT_EQ(attributor.take().at(0).duration_ns, 25U);
}

TEST_F(CallAttributorTest, AsksForEachAddressOnceAndInOneRequest) {
  attributor.add(detail_event({kWrite1, kRehash, kMapAssign, kFill}));
  attributor.add(detail_event({kPrint, kRehash, kMapAssign, kFill}));
  attributor.take();
  EXPECT_EQ(symbolizer.requests, 1U);
  EXPECT_EQ(symbolizer.asked, 5U);
  attributor.add(detail_event({kWrite1, kRehash, kMapAssign, kFill}));
  attributor.take();
  EXPECT_EQ(symbolizer.requests, 1U);
}

TEST_F(CallAttributorTest, WithoutNamesTheRangesStillNameTheOperation) {
  symbolizer.is_broken = true;
  auto call = attributed(detail_event({kWrite1, kRehash, kMapAssign, kFill}));
  EXPECT_EQ(call.operation, "growth");
  EXPECT_EQ(call.site, std::nullopt);
  EXPECT_EQ(attributor.counts().unsymbolized, 4U);
  EXPECT_EQ(attributor.counts().symbolizer_error, "the parser is gone");
}

TEST(CallAttributorPieTest, AddressesMeanNothingBeforeTheBiasIsKnown) {
  constexpr std::uint64_t bias = 0x555500000000;
  BinaryFacts facts = facts_of_fake();
  facts.is_pie = true;
  FakeSymbolizer symbolizer;
  CallAttributor attributor{kProcess, facts, symbolizer};
  attributor.add(detail_event({kRehash, kMapAssign, kFill})); // looks like link-time addresses
  EXPECT_EQ(attributor.take().at(0).site, std::nullopt);
  auto event = detail_event({kRehash, kMapAssign, kFill}, bias);
  EXPECT_EQ(symbolizer.requests, 0U);

  attributor.set_load_bias({bias});
  attributor.add(event);
  auto calls = attributor.take();
  ASSERT_TRUE(calls.at(0).site);
  EXPECT_EQ(calls[0].site->function, "main.put");
  EXPECT_EQ(calls[0].cause, std::nullopt); // Go text, once the bias is taken off
}

TEST_F(CallAttributorTest, AnIoUringRequestIsPlacedByItsWitnesses) {
  io_uring_submit_event event{};
  event.header.tid = 7;
  event.opcode = 18; // IORING_OP_OPENAT
  event.witnesses = WITNESS_WINDOW | WITNESS_STACK;
  event.operation = MAP_OPERATION_REHASH;
  attributor.add(event);
  event.witnesses = WITNESS_USER_CODE;
  event.operation = MAP_OPERATION_NONE;
  attributor.add(event);
  auto calls = attributor.take();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_TRUE(calls[0].is_io_uring);
  EXPECT_EQ(calls[0].name, "io_uring openat");
  EXPECT_EQ(calls[0].klass, CALL_CLASS_FILE);
  EXPECT_EQ(calls[0].place, CALL_INSIDE);
  EXPECT_EQ(calls[0].operation, "growth");
  EXPECT_EQ(calls[1].place, CALL_OUTSIDE);
}

} // namespace
} // namespace mapscope
