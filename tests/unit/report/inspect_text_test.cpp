// The screen of `inspect`: every probe point on a line of its own, and what stays unseen.
#include "report/inspect_text.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

BinaryFacts facts() {
  BinaryFacts facts;
  facts.path = "/srv/app";
  facts.main_module = "example.org/app";
  facts.go_version = "go1.26.8";
  facts.experiments = {"nogreenteagc"};
  facts.is_pie = true;
  facts.is_stripped = true;
  facts.uses_cgo = true;
  facts.function_count = 1234;
  facts.file_size_bytes = 3 << 20;
  facts.map_implementation = MapImplementation::swiss;
  facts.layout = {LayoutSource::nearest, "go1.26.11", {{"runtime.g.goid", 152}}};
  facts.variables.heap = {0x500000};
  facts.variables.statistics = {0x501000};
  facts.operations[MAP_OPERATION_REHASH] = {{.function = "internal/runtime/maps.(*table).rehash",
                                             .address = {0x401006},
                                             .emulated = true,
                                             .returns = {{}, {}}}};
  facts.misuse["runtime.throw"] = {.function = "runtime.throw", .address = {0x402000}};
  facts.map_writes = {{.function = "runtime.mapassign", .address = {0x403000}, .emulated = true}};
  facts.inlined_copies = {{"main.a", "main.b", {0x401234}}};
  facts.warnings = {"growth in main.b is not seen"};
  facts.map_functions = {{"runtime.makemap", {{0x401000}, 128}}};
  return facts;
}

TEST(InspectTextTest, SaysWhatTheProgramIsAndWhatCanBeSeen) {
  EXPECT_EQ(
      inspect_text(facts(), false),
      "/srv/app\n"
      "program      example.org/app\n"
      "toolchain    go1.26.8, experiments nogreenteagc\n"
      "linking      x86-64, position independent, linked with C code (cgo), stripped, no DWARF\n"
      "size         3.00 MiB, 1,234 functions\n"
      "build id     none\n"
      "maps         swiss: tables of groups with control words\n"
      "layout       1 offset measured from go1.26.11, the nearest patch release\n"
      "heap         spans, counters found; not found: pacer, hash keys, types\n"
      "\n"
      "PROBE                 ADDRESS  INSTRUCTION  RETURNS  FUNCTION\n"
      "rehash               0x401006  emulated           2  internal/runtime/maps.(*table).rehash\n"
      "misuse               0x402000  single-step        0  runtime.throw\n"
      "write                0x403000  emulated           0  runtime.mapassign\n"
      "\n"
      "INLINED COPIES (a probe on the function does not see them)\n"
      "      0x401234  main.a in main.b\n"
      "\n"
      "warning: growth in main.b is not seen\n");
}

TEST(InspectTextTest, LeavesOutWhatThereIsNot) {
  BinaryFacts plain = facts();
  plain.main_module.clear();
  plain.inlined_copies.clear();
  plain.warnings.clear();
  const std::string text = inspect_text(plain, false);
  for (const char *absent : {"program", "INLINED", "warning"})
    EXPECT_EQ(text.find(absent), std::string::npos) << absent;
}

TEST(InspectTextTest, SaysWhatIsKnownOfTheHeap) {
  EXPECT_NE(
      inspect_text(BinaryFacts{}, false)
          .find("heap         nothing found; not found: spans, pacer, counters, hash keys, types"),
      std::string::npos);
  BinaryFacts known = facts();
  known.variables = {{1}, {2}, {3}, {4}};
  known.types = {{0x480000}, 0x9000};
  EXPECT_NE(inspect_text(known, false)
                .find("heap         spans, pacer, counters, hash keys, types found\n"),
            std::string::npos);
}

TEST(InspectTextTest, ColourIsOnlyAddedWhereItIsWanted) {
  EXPECT_EQ(inspect_text(facts(), false).find('\x1b'), std::string::npos);
  EXPECT_NE(inspect_text(facts(), true).find('\x1b'), std::string::npos);
}

TEST(InspectTextTest, ListsMapFunctions) {
  EXPECT_EQ(inspect_functions_text(facts()), "      0x401000    128  runtime.makemap\n");
}

} // namespace
} // namespace mapscope
