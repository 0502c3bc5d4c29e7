// A Go executable made by hand, whole and damaged in every way.
#include "binary/go_binary.h"

#include <cstring>

#include <gtest/gtest.h>

#include "support/synthetic_go.h"

namespace mapscope {
namespace {

Result<GoBinary> open(std::span<const std::byte> bytes) { return GoBinary::open(bytes, "tiny"); }

// Everything that can be asked of a binary, for its crashes.
void ask_everything(const GoBinary &binary) {
  for (const FunctionView &function : binary.functions()) {
    (void)binary.inlined_calls(function);
    (void)binary.code(function.range);
    const ElfAddress addresses[] = {function.range.start, {function.range.start.value + 6}};
    EXPECT_EQ(binary.symbolize(addresses).size(), 2u);
  }
  (void)binary.find_function("main.fill");
}

TEST(GoBinaryTest, NamesFunctionsAndTheirRanges) {
  SyntheticGo program;
  const auto bytes = program.make();
  const auto binary = open(bytes);
  ASSERT_TRUE(binary) << binary.error().message();
  ASSERT_EQ(binary->functions().size(), 2u);
  const auto fill = binary->find_function("main.fill");
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->range, (ElfRange{{program.text().value + 16}, 16}));
  EXPECT_EQ(binary->function_at({program.text().value + 15})->name, "main.main");
  EXPECT_FALSE(binary->function_at({program.text().value + 32}));
  EXPECT_FALSE(binary->find_function("main.fil"));
  EXPECT_EQ(binary->module_data().text, (ElfRange{program.text(), 32}));
}

TEST(GoBinaryTest, SymbolizesWithInlinedFramesInnermostFirst) {
  SyntheticGo program;
  const auto bytes = program.make();
  const auto binary = open(bytes);
  ASSERT_TRUE(binary);
  const std::uint64_t text = program.text().value;
  const ElfAddress addresses[] = {
      {text + 3}, {text + 16 + 3}, {text + 16 + 11}, {text + 16 + 12}, {text - 1}};
  const auto answers = binary->symbolize(addresses);
  const auto frame = [](const char *function, std::uint32_t line, bool inlined = false) {
    return SourceFrame{function, "/src/main.go", line, inlined};
  };
  EXPECT_EQ(answers[0], (SourceFrames{frame("main.main", 10)}));
  EXPECT_EQ(answers[1], (SourceFrames{frame("main.fill", 20)}));
  EXPECT_EQ(answers[2], (SourceFrames{frame("main.inner", 7, true), frame("main.fill", 20)}));
  EXPECT_EQ(answers[3], (SourceFrames{frame("main.fill", 21)}));
  EXPECT_TRUE(answers[4].empty());
}

TEST(GoBinaryTest, ListsWhatWasInlined) {
  SyntheticGo program;
  const auto bytes = program.make();
  const auto binary = open(bytes);
  ASSERT_TRUE(binary);
  const auto calls = binary->inlined_calls(*binary->find_function("main.fill"));
  ASSERT_TRUE(calls) << calls.error().message();
  ASSERT_EQ(calls->size(), 1u);
  EXPECT_EQ(calls->front().name, "main.inner");
  EXPECT_EQ(calls->front().first_pc.value, program.text().value + 20);
  EXPECT_EQ(calls->front().parent_pc.value, program.text().value + 18);
  EXPECT_TRUE(binary->inlined_calls(*binary->find_function("main.main"))->empty());
}

TEST(GoBinaryTest, FindsItsTablesWithoutSectionHeaders) {
  SyntheticGo program;
  program.has_sections = false;
  const auto bytes = program.make();
  const auto binary = open(bytes);
  ASSERT_TRUE(binary) << binary.error().message();
  EXPECT_EQ(binary->functions().size(), 2u);
}

TEST(GoBinaryTest, SaysWhyItCannotReadOlderGo) {
  SyntheticGo program;
  program.version = "go1.16.15";
  const auto bytes = program.make();
  const auto binary = open(bytes);
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code(), Errc::unsupported);
  EXPECT_EQ(binary.error().message(), "tiny: made by go1.16.15; mapscope reads Go 1.17 and newer");
}

TEST(GoBinaryTest, RefusesPlugins) {
  SyntheticGo program;
  program.modules = "path\tx\nbuild\t-buildmode=plugin\n";
  const auto bytes = program.make();
  const auto binary = open(bytes);
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code(), Errc::unsupported);
}

TEST(GoBinaryTest, AFunctionTableWithAnUnknownMagicIsNamedSo) {
  SyntheticGo program;
  auto bytes = program.make();
  bytes[program.pclntab_offset()] = std::byte{0xf5};
  const auto binary = open(bytes);
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code(), Errc::unsupported);
  EXPECT_NE(binary.error().message().find("0xfffffff5"), std::string::npos);
}

TEST(GoBinaryTest, SurvivesBeingCutAnywhere) {
  SyntheticGo program;
  program.has_sections = false; // with them every cut ends at the section headers
  const auto bytes = program.make();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(open(cut)) << size;
    if (size < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))
      continue;
    // And with headers that agree with the cut.
    const std::uint64_t file_bytes = size;
    std::memcpy(cut.data() + sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_filesz), &file_bytes,
                sizeof(file_bytes));
    if (auto binary = open(cut))
      ask_everything(*binary);
  }
}

TEST(GoBinaryTest, SurvivesWildNumbersAnywhere) {
  SyntheticGo program;
  const auto whole = program.make();
  std::size_t opened = 0;
  for (std::size_t at = 0; at + 4 <= whole.size(); at += 4)
    for (std::uint32_t value : {0U, 1U, 0x7fff'ffffU, 0x8000'0000U, ~0U}) {
      auto bytes = whole;
      std::memcpy(bytes.data() + at, &value, sizeof(value));
      if (auto binary = open(bytes)) {
        ask_everything(*binary);
        ++opened;
      }
    }
  EXPECT_GT(opened, 100u); // else nothing behind opening was tried
}

TEST(GoBinaryTest, AFunctionWithDamagedTablesKeepsItsName) {
  SyntheticGo program;
  auto bytes = program.make();
  const std::uint32_t wild = 0x7fff'ffff;
  // pcln of main.main: the table ends with two records of 72 bytes.
  const std::size_t record = program.pclntab_offset() + program.pclntab_bytes() - 2 * 72;
  std::memcpy(bytes.data() + record + 24, &wild, sizeof(wild));
  const auto binary = open(bytes);
  ASSERT_TRUE(binary) << binary.error().message();
  const ElfAddress address = program.text();
  EXPECT_EQ(binary->symbolize({&address, 1}).front(), (SourceFrames{{"main.main", "", 0, false}}));
}

} // namespace
} // namespace mapscope
