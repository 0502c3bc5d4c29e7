// How often one run of hand-made programs calls into maps.
#include "kernel/bpf_maps/call_sites.h"

#include <gtest/gtest.h>

#include "support/bpf_code.h"

namespace mapscope {
namespace {

using testing::BpfCode;

constexpr std::int32_t kLookup = BPF_FUNC_map_lookup_elem, kUpdate = BPF_FUNC_map_update_elem,
                       kDelete = BPF_FUNC_map_delete_elem, kTailCall = BPF_FUNC_tail_call;
constexpr std::int32_t kOther = 200, kForEach = 201, kLoop = 202, kThrow = 203, kStorage = 204,
                       kSocketUpdate = 205;
constexpr std::int32_t kMap = 77, kSecondMap = 78;

BpfHelper helper_of(std::int32_t number) {
  switch (number) {
  case kLookup:
    return BpfHelper::lookup;
  case kUpdate:
    return BpfHelper::update;
  case kDelete:
    return BpfHelper::remove;
  case kForEach:
    return BpfHelper::for_each;
  case kLoop:
    return BpfHelper::loop;
  case kThrow:
    return BpfHelper::throw_exception;
  case kStorage:
    return BpfHelper::lookup_or_update;
  case kSocketUpdate:
    return BpfHelper::update_second;
  case kOther:
    return BpfHelper::other;
  default:
    return BpfHelper::unknown;
  }
}

Result<ProgramCallSites> sites_of(const BpfCode &code) {
  return find_call_sites(code.bytes(), helper_of);
}

// "sites, fewest to most", of lookups in a map.
std::string text_of(const CallsPerRun &calls) {
  return fmt::format("{} sites, {} to {}", calls.sites, calls.fewest,
                     calls.most ? std::to_string(*calls.most) : "any");
}
std::string lookups(const BpfCode &code, std::int32_t map = kMap) {
  const auto sites = sites_of(code);
  if (!sites)
    return sites.error().message();
  const auto found = sites->maps.find(static_cast<std::uint32_t>(map));
  return found == sites->maps.end() ? "no such map" : text_of(found->second.lookups);
}

// r0 = map[*(u32 *)r2], as array_map_gen_lookup() writes it.
BpfCode &add_array_lookup(BpfCode &code, bool masked = false) {
  code.add(BPF_REG_1, 312)
      .load(BPF_W, BPF_REG_0, BPF_REG_2, 0)
      .jump_if(BPF_JGE, BPF_REG_0, 4, masked ? 4 : 3);
  if (masked)
    code.raw(BPF_ALU | BPF_AND | BPF_K, BPF_REG_0, 0, 0, 3);
  return code.raw(BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_0, 0, 0, 3)
      .raw(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, BPF_REG_1, 0, 0)
      .jump(1)
      .set(BPF_REG_0, 0);
}

TEST(CallSitesTest, CountsOneCallOnAStraightPath) {
  const auto sites = sites_of(BpfCode{}
                                  .call_on(kMap, kLookup)
                                  .call_on(kMap, kUpdate)
                                  .call_on(kMap, kUpdate)
                                  .call_on(kSecondMap, kDelete)
                                  .exit());
  ASSERT_TRUE(sites);
  ASSERT_EQ(sites->maps.size(), 2);
  EXPECT_EQ(text_of(sites->maps.at(kMap).lookups), "1 sites, 1 to 1");
  EXPECT_EQ(text_of(sites->maps.at(kMap).updates), "2 sites, 2 to 2");
  EXPECT_EQ(text_of(sites->maps.at(kMap).deletes), "0 sites, 0 to 0");
  EXPECT_EQ(text_of(sites->maps.at(kSecondMap).lookups), "0 sites, 0 to 0");
  EXPECT_EQ(text_of(sites->maps.at(kSecondMap).deletes), "1 sites, 1 to 1");
  EXPECT_EQ(text_of(sites->unresolved), "0 sites, 0 to 0");
  EXPECT_FALSE(sites->has_tail_calls);
}

TEST(CallSitesTest, ABranchMaySkipACall) {
  EXPECT_EQ(lookups(BpfCode{}.jump_if(BPF_JEQ, BPF_REG_1, 0, 5).call_on(kMap, kLookup).exit()),
            "1 sites, 0 to 1");
}

TEST(CallSitesTest, BothSidesOfADiamondCallOnce) {
  EXPECT_EQ(lookups(BpfCode{}
                        .jump_if(BPF_JEQ, BPF_REG_1, 0, 6)
                        .call_on(kMap, kLookup)
                        .jump(5)
                        .call_on(kMap, kLookup)
                        .exit()),
            "2 sites, 1 to 1");
}

TEST(CallSitesTest, ALoopHasNoUpperBound) {
  EXPECT_EQ(lookups(BpfCode{}.call_on(kMap, kLookup).jump_if(BPF_JNE, BPF_REG_0, 0, -6).exit()),
            "1 sites, 1 to any");
  EXPECT_EQ(
      lookups(BpfCode{}.jump_if(BPF_JEQ, BPF_REG_0, 0, 6).call_on(kMap, kLookup).jump(-7).exit()),
      "1 sites, 0 to any");
}

TEST(CallSitesTest, ALoopBesideTheCallBoundsNothing) {
  EXPECT_EQ(lookups(BpfCode{}
                        .add(BPF_REG_0, 1)
                        .jump_if(BPF_JNE, BPF_REG_0, 9, -2)
                        .call_on(kMap, kLookup)
                        .add(BPF_REG_0, 1)
                        .jump_if(BPF_JNE, BPF_REG_0, 9, -2)
                        .exit()),
            "1 sites, 1 to 1");
}

TEST(CallSitesTest, FunctionsCountAsOftenAsTheyAreCalled) {
  EXPECT_EQ(lookups(BpfCode{}
                        .call_function(3)
                        .call_function(2)
                        .call_function(1)
                        .exit()
                        .call_on(kMap, kLookup)
                        .exit()),
            "1 sites, 3 to 3");
}

TEST(CallSitesTest, AMapCanBeAnArgument) {
  BpfCode code;
  code.map(BPF_REG_1, kMap).call_function(4).map(BPF_REG_1, kSecondMap).call_function(1).exit();
  code.call(kLookup).exit();
  EXPECT_EQ(lookups(code, kMap), "1 sites, 1 to 1");
  EXPECT_EQ(lookups(code, kSecondMap), "1 sites, 1 to 1");
}

TEST(CallSitesTest, AMapCanWaitOnTheStackAndInOtherRegisters) {
  EXPECT_EQ(lookups(BpfCode{}
                        .map(BPF_REG_6, kMap)
                        .store(BPF_DW, BPF_REG_10, -16, BPF_REG_6)
                        .set(BPF_REG_6, 0)
                        .call(kOther)
                        .load(BPF_DW, BPF_REG_7, BPF_REG_10, -16)
                        .copy(BPF_REG_1, BPF_REG_7)
                        .call(kLookup)
                        .exit()),
            "1 sites, 1 to 1");
}

TEST(CallSitesTest, AStackSlotThatAFunctionMayChangeHoldsTheMapPerhaps) {
  EXPECT_EQ(lookups(BpfCode{}
                        .map(BPF_REG_6, kMap)
                        .store(BPF_DW, BPF_REG_10, -16, BPF_REG_6)
                        .copy(BPF_REG_1, BPF_REG_10)
                        .add(BPF_REG_1, -16)
                        .call_function(3)
                        .load(BPF_DW, BPF_REG_1, BPF_REG_10, -16)
                        .call(kLookup)
                        .exit()
                        .exit()),
            "1 sites, 0 to 2"); // the map, or another that the program names: it names this only
}

TEST(CallSitesTest, OneOfTwoMapsIsInTheBoundsOfBoth) {
  BpfCode code;
  code.map(BPF_REG_6, kMap)
      .jump_if(BPF_JEQ, BPF_REG_1, 0, 2)
      .map(BPF_REG_6, kSecondMap)
      .copy(BPF_REG_1, BPF_REG_6)
      .call(kLookup)
      .exit();
  EXPECT_EQ(lookups(code, kMap), "1 sites, 0 to 1");
  EXPECT_EQ(lookups(code, kSecondMap), "1 sites, 0 to 1");
}

TEST(CallSitesTest, CallbacksCallAnyNumberOfTimes) {
  BpfCode code;
  code.map(BPF_REG_1, kMap).function(BPF_REG_2, 3).call(kForEach).exit(); // callback at 6
  code.call(kLookup).exit();
  const auto sites = sites_of(code);
  ASSERT_TRUE(sites) << sites.error().message();
  EXPECT_EQ(text_of(sites->maps.at(kMap).lookups), "1 sites, 0 to any");
  EXPECT_FALSE(sites->maps.at(kMap).beyond_runs) << "for_each waits for it";
  EXPECT_EQ(sites->unresolved.sites, 0) << "its first argument is the map";
}

TEST(CallSitesTest, TimersCallBeyondRuns) {
  BpfCode code;
  code.function(BPF_REG_2, 3).call(kOther).exit().exit(); // callback at 5
  code.call_on(kMap, kLookup).exit();
  const auto sites = sites_of(code);
  ASSERT_TRUE(sites) << sites.error().message();
  EXPECT_EQ(text_of(sites->maps.at(kMap).lookups), "0 sites, 0 to 0");

  BpfCode timer;
  timer.function(BPF_REG_2, 3).call(kOther).exit(); // callback at 4
  timer.call_on(kMap, kLookup).exit();
  const auto timed = sites_of(timer);
  ASSERT_TRUE(timed) << timed.error().message();
  EXPECT_EQ(text_of(timed->maps.at(kMap).lookups), "1 sites, 0 to any");
  EXPECT_TRUE(timed->maps.at(kMap).beyond_runs);
}

TEST(CallSitesTest, SeesInlinedArrayLookups) {
  for (bool masked : {false, true}) {
    BpfCode code;
    code.copy(BPF_REG_2, BPF_REG_10).add(BPF_REG_2, -4).map(BPF_REG_1, kMap);
    EXPECT_EQ(lookups(add_array_lookup(code, masked).exit()), "1 sites, 1 to 1");
  }
}

TEST(CallSitesTest, SeesInlinedSocketLookupsBeforeTheIndexCheck) {
  BpfCode code;
  code.map(BPF_REG_1, kMap)
      .load(BPF_W, BPF_REG_0, BPF_REG_2, 0)
      .jump_if(BPF_JGE, BPF_REG_0, 4, 5)
      .raw(BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_0, 0, 0, 3)
      .add(BPF_REG_1, 304)
      .raw(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, BPF_REG_1, 0, 0)
      .load(BPF_DW, BPF_REG_0, BPF_REG_0, 0)
      .jump(1)
      .set(BPF_REG_0, 0)
      .exit();
  EXPECT_EQ(lookups(code), "1 sites, 1 to 1");
}

TEST(CallSitesTest, AMapThatAMapHoldsIsNoneOfThoseThatAreNamed) {
  BpfCode code;
  code.copy(BPF_REG_2, BPF_REG_10).add(BPF_REG_2, -4).map(BPF_REG_1, kMap).call(kLookup);
  code.jump_if(BPF_JEQ, BPF_REG_0, 0, 2).add(BPF_REG_0, 56).load(BPF_DW, BPF_REG_0, BPF_REG_0, 0);
  code.copy(BPF_REG_1, BPF_REG_0).copy(BPF_REG_2, BPF_REG_10).add(BPF_REG_2, -4);
  add_array_lookup(code).exit();
  const auto sites = sites_of(code);
  ASSERT_TRUE(sites) << sites.error().message();
  EXPECT_EQ(text_of(sites->maps.at(kMap).lookups), "1 sites, 1 to 1");
  EXPECT_EQ(text_of(sites->inner.lookups), "1 sites, 1 to 1");
  EXPECT_EQ(text_of(sites->lost.lookups), "0 sites, 0 to 0");
  EXPECT_EQ(text_of(sites->unresolved), "1 sites, 1 to 1");
}

TEST(CallSitesTest, AMapThatIsLostMayBeAnyThatIsNamed) {
  BpfCode code;
  code.load(BPF_DW, BPF_REG_1, BPF_REG_1, 0).call(kDelete).map(BPF_REG_1, kMap).exit();
  const auto sites = sites_of(code);
  ASSERT_TRUE(sites);
  EXPECT_EQ(text_of(sites->maps.at(kMap).deletes), "0 sites, 0 to 1");
  EXPECT_EQ(text_of(sites->lost.deletes), "1 sites, 1 to 1");
}

TEST(CallSitesTest, ATailCallMayEndThePath) {
  BpfCode code;
  code.call_on(kMap, kLookup).map(BPF_REG_2, 9).call(kTailCall).call_on(kMap, kLookup).exit();
  const auto sites = sites_of(code);
  ASSERT_TRUE(sites);
  EXPECT_TRUE(sites->has_tail_calls);
  EXPECT_EQ(text_of(sites->maps.at(kMap).lookups), "2 sites, 1 to 2");
}

TEST(CallSitesTest, AnExceptionMayEndAnyPath) {
  BpfCode code;
  code.call_on(kMap, kLookup).call(kThrow).exit();
  EXPECT_EQ(lookups(code), "1 sites, 0 to any");
  BpfCode unknown_kernel_function;
  unknown_kernel_function.call_on(kMap, kLookup).raw(BPF_JMP | BPF_CALL, 0, 2, 0, 4711).exit();
  EXPECT_EQ(lookups(unknown_kernel_function), "1 sites, 0 to any");
  BpfCode unknown_helper;
  EXPECT_EQ(lookups(unknown_helper.call_on(kMap, kLookup).call(4711).exit()), "1 sites, 1 to 1");
}

TEST(CallSitesTest, LocalStorageIsLookedUpAndPerhapsMade) {
  const auto sites = sites_of(BpfCode{}.map(BPF_REG_1, kMap).call(kStorage).exit());
  ASSERT_TRUE(sites);
  EXPECT_EQ(text_of(sites->maps.at(kMap).lookups), "1 sites, 1 to 1");
  EXPECT_EQ(text_of(sites->maps.at(kMap).updates), "1 sites, 0 to 1");
}

TEST(CallSitesTest, SomeHelpersTakeTheMapSecond) {
  const auto sites = sites_of(BpfCode{}.map(BPF_REG_2, kMap).call(kSocketUpdate).exit());
  ASSERT_TRUE(sites);
  EXPECT_EQ(text_of(sites->maps.at(kMap).updates), "1 sites, 1 to 1");
}

TEST(CallSitesTest, FollowsLongJumps) {
  BpfCode code;
  code.raw(BPF_JMP32 | BPF_JA, 0, 0, 0, 5).call_on(kMap, kLookup).exit();
  EXPECT_EQ(lookups(code), "0 sites, 0 to 0");
}

TEST(CallSitesTest, RefusesWhatItDoesNotKnow) {
  for (unsigned code : {0x0dU /* goto through a table */, 0xe5U, 0xf5U, 0x8dU, 0x00U}) {
    const auto sites = sites_of(BpfCode{}.raw(code, 0, 0, 0, 0).exit());
    ASSERT_FALSE(sites) << code;
    EXPECT_EQ(sites.error().code(), Errc::unsupported) << code;
  }
  const auto blinded = sites_of(BpfCode{}
                                    .set(11, 0x1234)
                                    .raw(BPF_ALU64 | BPF_XOR | BPF_K, 11, 0, 0, 0x77)
                                    .copy(BPF_REG_0, 11)
                                    .exit());
  ASSERT_FALSE(blinded);
  EXPECT_EQ(blinded.error().code(), Errc::unsupported);
}

TEST(CallSitesTest, RefusesCodeThatIsCutShortOrLeadsAstray) {
  const BpfCode whole = BpfCode{}.call_on(kMap, kLookup).exit();
  for (std::size_t bytes : {0UL, 1UL, 7UL, 8UL, 16UL, 40UL, 47UL}) {
    const auto sites = find_call_sites(whole.bytes().first(bytes), helper_of);
    ASSERT_FALSE(sites) << bytes;
    EXPECT_EQ(sites.error().code(), Errc::malformed) << bytes;
  }
  for (const auto &code :
       {BpfCode{}.jump(7).exit(), BpfCode{}.jump(-2).exit(), BpfCode{}.call_function(9).exit(),
        BpfCode{}.call_function(-1).exit(), BpfCode{}.function(BPF_REG_1, 99).exit()}) {
    const auto sites = sites_of(code);
    ASSERT_FALSE(sites);
    EXPECT_EQ(sites.error().code(), Errc::malformed) << sites.error().message();
  }
}

TEST(CallSitesTest, MuchCodeIsCountedAndTooMuchGivesUpBounds) {
  for (const auto &[maps, bounds] :
       {std::pair{1, "20000 sites, 0 to 20000"}, {400, "50 sites, 0 to any"}}) {
    BpfCode code;
    for (int i = 0; i < 20'000; ++i)
      code.jump_if(BPF_JEQ, BPF_REG_1, i, 5).call_on(i % maps, kLookup);
    code.exit();
    EXPECT_EQ(lookups(code, maps - 1), bounds);
  }
}

TEST(CallSitesTest, ATangledLoopKeepsTheLowerBoundBelow) {
  BpfCode code; // many ways through the loop, each of which calls
  for (int i = 0; i < 100; ++i)
    code.jump_if(BPF_JEQ, BPF_REG_1, i, 5 + 6 * (i % 3)).call_on(kMap, kLookup);
  code.set(BPF_REG_0, 0).set(BPF_REG_0, 0).jump_if(BPF_JNE, BPF_REG_0, 1, -603);
  for (int i = 0; i < 12; ++i)
    code.set(BPF_REG_0, 0);
  code.call_on(kMap, kLookup).exit();
  EXPECT_EQ(lookups(code), "101 sites, 1 to any");
}

TEST(CallSitesTest, FunctionsThatCallEachOtherManyTimesAreCountedOnce) {
  BpfCode code; // each calls the next twice: 2^20 calls of the last
  for (int i = 0; i < 20; ++i)
    code.call_function(2).call_function(1).exit();
  code.call_on(kMap, kLookup).exit();
  EXPECT_EQ(lookups(code), "1 sites, 1048576 to 1048576");
}

} // namespace
} // namespace mapscope
