// What is counted completely, by the functions of a binary and what a profile inlined of them.
#include "pipeline/verify_scope.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr const char *kNewMap = "internal/runtime/maps.NewMap";
constexpr const char *kSplit = "internal/runtime/maps.(*table).split";
constexpr const char *kRehash = "internal/runtime/maps.(*table).rehash";

class VerifyScopeTest : public ::testing::Test {
protected:
  void probe(map_operation operation, const char *function) {
    facts_.operations[operation].push_back({.function = function});
    plan_.probes.push_back(
        {.kind = ProbeKind::map_operation, .function = function, .subject = operation});
  }
  void inline_copy(const char *function, const char *into) {
    facts_.inlined_copies.push_back({function, into, {}});
  }
  bool covers(map_operation operation) const {
    return scope_of(facts_, plan_, ProbeChoice{}).covered_operations[operation];
  }

  BinaryFacts facts_{.map_implementation = MapImplementation::swiss};
  ProbePlan plan_;
};

TEST_F(VerifyScopeTest, WhatIsProbedIsCoveredAndWhatIsNotProbedIsNot) {
  probe(MAP_OPERATION_NEW_MAP, kNewMap);
  facts_.operations[MAP_OPERATION_PRUNE].emplace_back();
  EXPECT_TRUE(covers(MAP_OPERATION_NEW_MAP));
  EXPECT_FALSE(covers(MAP_OPERATION_PRUNE));
}

TEST_F(VerifyScopeTest, WhatTheBinaryHasNoFunctionForCannotHappen) {
  EXPECT_TRUE(covers(MAP_OPERATION_CLONE));
  EXPECT_TRUE(covers(MAP_OPERATION_MAKE)) << "classic maps only";
}

TEST_F(VerifyScopeTest, ACopyHidesItsOwnOperationAndNoOther) {
  probe(MAP_OPERATION_NEW_MAP, kNewMap);
  probe(MAP_OPERATION_REHASH, kRehash);
  inline_copy(kSplit, kRehash);
  EXPECT_FALSE(covers(MAP_OPERATION_TABLE_SPLIT)) << "all of it was inlined";
  EXPECT_TRUE(covers(MAP_OPERATION_NEW_MAP));
  EXPECT_TRUE(covers(MAP_OPERATION_REHASH));
  EXPECT_TRUE(covers(MAP_OPERATION_CLEAR));
  EXPECT_TRUE(covers(MAP_OPERATION_MAKE));
}

TEST_F(VerifyScopeTest, AProbeOnTheFunctionDoesNotSeeItsCopies) {
  probe(MAP_OPERATION_NEW_MAP, kNewMap);
  inline_copy(kNewMap, "runtime.mapclone2");
  EXPECT_FALSE(covers(MAP_OPERATION_NEW_MAP));
}

TEST_F(VerifyScopeTest, ACopyIsSeenWhereTheFunctionAroundItIsProbedInItsPlace) {
  probe(MAP_OPERATION_NEW_MAP, "runtime.makemap");
  inline_copy(kNewMap, "runtime.makemap");
  EXPECT_TRUE(covers(MAP_OPERATION_NEW_MAP));
  inline_copy(kNewMap, "reflect.makemap");
  EXPECT_FALSE(covers(MAP_OPERATION_NEW_MAP));
}

} // namespace
} // namespace mapscope
