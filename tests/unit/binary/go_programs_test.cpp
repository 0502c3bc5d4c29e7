// Real programs of every Go version and build mode, against what Go's own tools say of them.
#include "binary/go_binary.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "binary/read_facts.h"
#include "binary/runtime_globals.h"
#include "support/file_content.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

struct Build {
  const char *version;
  const char *mode; // of tools/build-workloads
};

std::string name_of(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("Go{}_{}", info.param.version, info.param.mode);
  std::ranges::replace(name, '.', '_');
  return name;
}

class GoProgramTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    auto program = workload(GetParam().version, GetParam().mode);
    if (!program)
      GTEST_SKIP() << "tools/build-workloads has not built growth with Go " << GetParam().version
                   << " as " << GetParam().mode;
    path_ = *program;
    bytes_ = testing::file_bytes(path_);
    auto opened = GoBinary::open(bytes_, path_);
    ASSERT_TRUE(opened) << opened.error().message();
    binary_.emplace(*std::move(opened));
  }

  std::string path_;
  std::vector<std::byte> bytes_;
  std::optional<GoBinary> binary_;
};

// What other tools can tell of needs symbols.
class GoProgramWithSymbolsTest : public GoProgramTest {};

// Every 97th function, at its first instruction and at two places inside.
std::vector<ElfAddress> sample(const GoBinary &binary) {
  std::vector<ElfAddress> addresses;
  for (std::size_t i = 0; i < binary.functions().size(); i += 97) {
    const ElfRange range = binary.functions()[i].range;
    for (std::uint64_t part : {std::uint64_t{0}, range.size_bytes / 3, range.size_bytes / 2})
      addresses.push_back({range.start.value + part});
  }
  return addresses;
}

// Function and innermost file and line, as addr2line prints them: "?" for what it does not know.
std::vector<std::string> ask_addr2line(const std::string &program,
                                       const std::vector<ElfAddress> &addresses) {
  const std::string questions = ::testing::TempDir() + "addresses_" + std::to_string(::getpid());
  std::ofstream file{questions};
  for (ElfAddress address : addresses)
    file << fmt::format("{:#x}\n", address.value);
  file.close();
  std::istringstream lines{
      output_of_go_tool(fmt::format("addr2line '{}' < {}", program, questions)).value_or("")};
  std::filesystem::remove(questions);
  std::vector<std::string> answers;
  for (std::string function, place; std::getline(lines, function) && std::getline(lines, place);)
    answers.push_back(function + " " + place);
  return answers;
}

TEST_P(GoProgramWithSymbolsTest, NamesEveryAddressAsAddr2lineDoes) {
  const auto addresses = sample(*binary_);
  const auto expected = ask_addr2line(path_, addresses);
  if (expected.empty())
    GTEST_SKIP() << "there is no `go tool addr2line` here";
  ASSERT_EQ(expected.size(), addresses.size());
  const auto answers = binary_->symbolize(addresses);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    ASSERT_FALSE(answers[i].empty());
    const SourceFrame &inner = answers[i].front();
    // Padding between functions has no line: -1 there, 0 here.
    const std::string line = inner.file.empty() ? "-1" : fmt::format("{}", inner.line);
    EXPECT_EQ(fmt::format("{} {}:{}", answers[i].back().function, inner.file, line), expected[i])
        << fmt::format("{:#x}", addresses[i].value);
  }
}

TEST_P(GoProgramWithSymbolsTest, AgreesWithTheSymbolTable) {
  const auto symbols = symbols_of(path_);
  EXPECT_EQ(binary_->module_data().text.start.value, symbols.at("runtime.text"));
  EXPECT_EQ(binary_->module_data().text.end().value, symbols.at("runtime.etext"));
  EXPECT_EQ(binary_->module_data().address.value, symbols.at("runtime.firstmoduledata"));
  for (const char *function : {"main.main", "runtime.throw", "runtime.mallocgc", "runtime.main"}) {
    const auto found = binary_->find_function(function);
    ASSERT_TRUE(found) << function;
    EXPECT_EQ(found->range.start.value, symbols.at(function)) << function;
  }
}

TEST_P(GoProgramWithSymbolsTest, FindsAFunctionAndNotItsWrapper) {
  // Of each pair of a name, the linker made one: for calls of assembly from Go, and the reverse.
  const auto symbols = symbols_of(path_);
  EXPECT_EQ(binary_->find_function("runtime.asmcgocall")->range.start.value,
            symbols.at("runtime.asmcgocall.abi0"));
  EXPECT_EQ(binary_->find_function("runtime.args")->range.start.value, symbols.at("runtime.args"));
}

TEST_P(GoProgramTest, KnowsHowItWasBuilt) {
  const auto facts = read_facts(*binary_);
  ASSERT_TRUE(facts) << facts.error().message();
  const std::string_view mode = GetParam().mode;
  EXPECT_EQ(facts->go_version, fmt::format("go{}", GetParam().version));
  EXPECT_EQ(facts->is_pie, mode == "pie");
  EXPECT_EQ(facts->is_stripped, mode == "stripped");
  EXPECT_EQ(facts->has_dwarf, mode != "stripped");
  EXPECT_EQ(facts->uses_cgo, mode == "cgo");
  EXPECT_FALSE(facts->uses_pgo);
  EXPECT_FALSE(facts->build_id.empty());
  EXPECT_TRUE(facts->text.contains(binary_->find_function("main.main")->range.start));
}

TEST_P(GoProgramWithSymbolsTest, TheCodeTellsWhatASymbolTells) {
  const auto symbol = find_all_goroutines(*binary_);
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->value, symbols_of(path_).at("runtime.allgs"));
  // The same program without the symbol.
  const std::string_view name{"\0runtime.allgs\0", 15};
  const auto at = std::ranges::search(bytes_, std::as_bytes(std::span{name})).begin();
  ASSERT_NE(at, bytes_.end());
  at[1] = std::byte{'_'};
  const auto code = find_all_goroutines(*binary_);
  ASSERT_TRUE(code);
  EXPECT_EQ(*code, *symbol);
}

TEST_P(GoProgramTest, KnowsWhereGoroutinesAreListed) { EXPECT_TRUE(find_all_goroutines(*binary_)); }

TEST_P(GoProgramTest, SeesThroughInlining) {
  std::size_t inlined_count = 0;
  for (const FunctionView &function : binary_->functions()) {
    const auto calls = binary_->inlined_calls(function);
    ASSERT_TRUE(calls) << function.name << ": " << calls.error().message();
    if (calls->empty() || ++inlined_count % 50 != 0)
      continue;
    // What is listed as inlined at an address is what that address symbolizes to.
    for (const InlinedCall &call : *calls) {
      EXPECT_TRUE(function.range.contains(call.first_pc));
      EXPECT_TRUE(function.range.contains(call.parent_pc));
      const auto frames = binary_->symbolize({&call.first_pc, 1}).front();
      EXPECT_TRUE(std::ranges::any_of(
          frames,
          [&](const SourceFrame &frame) { return frame.inlined && frame.function == call.name; }))
          << call.name << " in " << function.name;
      EXPECT_EQ(frames.back().function, function.name);
    }
  }
  EXPECT_GT(inlined_count, 100u);
}

constexpr Build kWithSymbols[] = {
    {"1.17.13", "plain"}, {"1.17.13", "pie"},  {"1.17.13", "cgo"},  {"1.19.13", "plain"},
    {"1.19.13", "pie"},   {"1.19.13", "cgo"},  {"1.21.13", "pie"},  {"1.22.12", "cgo"},
    {"1.24.13", "pie"},   {"1.25.14", "cgo"},  {"1.26.8", "plain"}, {"1.26.8", "pie"},
    {"1.26.8", "cgo"},    {"1.27.4", "plain"}, {"1.27.4", "pie"},   {"1.27.4", "cgo"},
};
constexpr Build kStripped[] = {{"1.17.13", "stripped"},
                               {"1.19.13", "stripped"},
                               {"1.26.8", "stripped"},
                               {"1.27.4", "stripped"}};
INSTANTIATE_TEST_SUITE_P(Builds, GoProgramWithSymbolsTest, ::testing::ValuesIn(kWithSymbols),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Builds, GoProgramTest, ::testing::ValuesIn(kWithSymbols), name_of);
INSTANTIATE_TEST_SUITE_P(Stripped, GoProgramTest, ::testing::ValuesIn(kStripped), name_of);

} // namespace
} // namespace mapscope
