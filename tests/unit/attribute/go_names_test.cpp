// Names of real Go functions, and what they must and must not be taken for.
#include "attribute/go_names.h"
#include "base/go_names.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(GoNamesTest, FindsThePackage) {
  EXPECT_EQ(package_of("main.main"), "main");
  EXPECT_EQ(package_of("runtime.mapassign_fast64"), "runtime");
  EXPECT_EQ(package_of("internal/runtime/maps.(*table).rehash"), "internal/runtime/maps");
  EXPECT_EQ(package_of("github.com/a/b%2ev3.(*T).F.func1"), "github.com/a/b%2ev3");
  EXPECT_EQ(package_of("maps.Clone[go.shape.map[string]example.com/x.T]"), "maps");
  EXPECT_EQ(package_of("main.F[example.com/x.T]"), "main");
  EXPECT_EQ(package_of("_start"), "");
}

TEST(GoNamesTest, TellsTheRuntimeFromUserCode) {
  for (auto name :
       {"runtime.mallocgc", "internal/runtime/maps.newarray", "reflect.Value.SetMapIndex",
        "runtime/internal/syscall.Syscall6", "maps.Copy[...]"})
    EXPECT_TRUE(is_runtime_function(name)) << name;
  for (auto name : {"main.fill", "example.com/maps.Copy", "example.com/runtime.F", "runtimex.F",
                    "encoding/json.(*decodeState).object", "runtime/pprof.Do"})
    EXPECT_FALSE(is_runtime_function(name)) << name;
}

TEST(GoNamesTest, TellsTheOperation) {
  EXPECT_EQ(operation_of_function("runtime.makemap_small"), "creation");
  EXPECT_EQ(operation_of_function("internal/runtime/maps.NewMap"), "creation");
  EXPECT_EQ(operation_of_function("runtime.hashGrow"), "growth");
  EXPECT_EQ(operation_of_function("runtime.growWork_fast64"), "growth");
  EXPECT_EQ(operation_of_function("internal/runtime/maps.(*Map).growToSmall"), "growth");
  EXPECT_EQ(operation_of_function("internal/runtime/maps.(*table).split"), "growth");
  EXPECT_EQ(operation_of_function("internal/runtime/maps.(*table).pruneTombstones"), "prune");
  EXPECT_EQ(operation_of_function("internal/runtime/maps.(*Map).Clear"), "clear");
  EXPECT_EQ(operation_of_function("runtime.mapclone2"), "copy");
  EXPECT_EQ(operation_of_function("runtime.mapassign_faststr"), "write");
  EXPECT_EQ(operation_of_function("runtime.mapdelete"), "delete");
}

TEST(GoNamesTest, SaysNothingAboutHelpersAndStrangers) {
  EXPECT_EQ(operation_of_function("internal/runtime/maps.newarray"), std::nullopt);
  EXPECT_EQ(operation_of_function("internal/runtime/maps.(*table).reset"), std::nullopt);
  EXPECT_EQ(operation_of_function("runtime.mallocgc"), std::nullopt);
  EXPECT_EQ(operation_of_function("main.makemap"), std::nullopt);
  EXPECT_EQ(operation_of_function("runtime"), std::nullopt);
}

TEST(GoNamesTest, NamesEveryProbedOperation) {
  EXPECT_EQ(operation_name(MAP_OPERATION_NONE), std::nullopt);
  for (int operation = MAP_OPERATION_MAKE_SMALL; operation <= MAP_OPERATION_PRUNE; ++operation)
    EXPECT_TRUE(operation_name(static_cast<map_operation>(operation))) << operation;
  EXPECT_EQ(operation_name(MAP_OPERATION_REHASH), "growth");
  EXPECT_EQ(operation_name(MAP_OPERATION_CLONE), "copy");
}

} // namespace
} // namespace mapscope
