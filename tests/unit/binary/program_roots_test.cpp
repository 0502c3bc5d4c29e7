// Roots of real programs: what DWARF, symbols and code say of them, against each other, nm, and
// what the programs themselves print.
#include "binary/program_roots.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "binary/code_roots.h"
#include "binary/confined_parser.h"
#include "binary/data_ranges.h"
#include "binary/instruction_decoder.h"
#include "binary/package_variables.h"
#include "binary/relative_operands.h"
#include "binary/type_descriptors.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "support/synthetic_dwarf.h"
#include "support/synthetic_go.h"
#include "unit/binary/built_programs.h"
#include "wire/roots_archive.h"

namespace mapscope {
namespace {

// build/workloads/VERSION/MODE/owners, where it was built.
std::optional<std::string> owners_workload(const std::string &version, const std::string &mode) {
  auto path = fmt::format("{}/build/workloads/{}/{}/owners", SOURCE_DIRECTORY, version, mode);
  return std::filesystem::exists(path) ? std::optional{path} : std::nullopt;
}

// A program with the bytes that it is a view on.
class OpenProgram {
public:
  explicit OpenProgram(const std::string &path)
      : content_(testing::file_bytes(path)), binary_(open(path)) {}

  const GoBinary &operator*() const { return binary_; }
  const GoBinary *operator->() const { return &binary_; }

private:
  GoBinary open(const std::string &path) const {
    auto opened = GoBinary::open(content_, path);
    EXPECT_TRUE(opened) << opened.error().message();
    return *std::move(opened);
  }

  std::vector<std::byte> content_;
  GoBinary binary_;
};

struct Build {
  std::string version, mode;
};

void PrintTo(const Build &build, std::ostream *stream) {
  *stream << build.version << " " << build.mode;
}

class ProgramRootsTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    const auto &[version, mode] = GetParam();
    const auto program = owners_workload(version, mode);
    if (!program)
      GTEST_SKIP() << "tools/build-workloads has not built owners with Go " << version << " as "
                   << mode;
    path_ = *program;
  }

  bool is_stripped() const { return GetParam().mode == "stripped"; }

  std::string path_;
};

ProgramRoots roots_of(const GoBinary &binary) {
  auto roots = read_roots(binary);
  EXPECT_TRUE(roots) << roots.error().message();
  return roots ? *std::move(roots) : ProgramRoots{};
}

std::vector<PackageVariable> with(RootEvidence evidence, const ProgramRoots &roots) {
  std::vector<PackageVariable> found;
  std::ranges::copy_if(roots.variables, std::back_inserter(found),
                       [&](const auto &variable) { return variable.evidence == evidence; });
  return found;
}

// Closures by names: "main.capture.func1" -> "struct { F uintptr; ...".
std::map<std::string, std::string> closures_of(const GoBinary &binary) {
  const auto types = TypeDescriptors::open(binary);
  std::map<std::string, std::string> closures;
  for (const ClosureCode &closure : roots_of(binary).closures)
    closures.emplace(binary.function_at(closure.entry)->name, types->name(closure.type));
  return closures;
}

TEST_P(ProgramRootsTest, EveryVariableOfDwarfHasAnAddressThatTheSymbolTableHas) {
  if (is_stripped())
    GTEST_SKIP() << "it has neither";
  const OpenProgram program{path_};
  const auto symbols = symbols_of(path_);
  std::set<std::string> seen;
  for (const PackageVariable &variable : with(RootEvidence::dwarf, roots_of(*program))) {
    // Of a part, that of the variable that it is a part of.
    std::string name = variable.name;
    while (!symbols.contains(name) && name.find_last_of(".[") != name.npos)
      name.resize(name.find_last_of(".["));
    ASSERT_TRUE(symbols.contains(name)) << variable.name;
    EXPECT_GE(variable.address.value, symbols.at(name)) << variable.name;
    if (name == variable.name) {
      EXPECT_EQ(variable.address.value, symbols.at(name)) << name;
    }
    seen.insert(name);
  }
  for (const char *name : {"main.direct", "main.store", "main.flat", "main.handlers", "main.ring"})
    EXPECT_TRUE(seen.contains(name)) << name;
}

// The program prints the types of the maps that its variables hold.
TEST_P(ProgramRootsTest, MapVariablesHaveTheTypesThatTheProgramPrints) {
  if (is_stripped())
    GTEST_SKIP() << "its variables have no names";
  const OpenProgram program{path_};
  const auto types = TypeDescriptors::open(*program);
  std::map<std::string, std::string> found;
  for (const PackageVariable &variable : with(RootEvidence::dwarf, roots_of(*program)))
    found[variable.name] = types->name(variable.type);

  std::istringstream lines{output_of(fmt::format("'{}' -n 2 </dev/null", path_)).value_or("")};
  std::string type;
  std::map<std::string, std::vector<std::string>> printed; // of the maps that a variable holds
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string kind, word, root, users, fields;
    words >> kind >> word >> word;
    if (kind == "map") {
      words >> word >> word >> std::ws;
      std::getline(words, type);
    }
    words >> root >> users >> fields;
    if (kind == "owner" && word == "variable" && fields == "-")
      printed[root].push_back(type);
  }
  int compared = 0;
  for (const auto &[root, types_of_maps] : printed) {
    const auto variable = found.find(root);
    if (variable == found.end() || !variable->second.starts_with("map[") ||
        types_of_maps.size() != 1) // or else there are maps in maps
      continue;
    EXPECT_EQ(variable->second, types_of_maps.front()) << root;
    ++compared;
  }
  EXPECT_GE(compared, 2);
  EXPECT_EQ(found["main.direct"], "map[string]int");
  EXPECT_EQ(found["main.directAlso"], "map[int]float64");
  EXPECT_EQ(found["main.asNamed"], "main.names");
  EXPECT_EQ(found["main.keyed"], "map[*main.holder]bool");
}

TEST_P(ProgramRootsTest, WhatHasNoDescriptorIsToldByWhatItPointsToOrInParts) {
  if (is_stripped())
    GTEST_SKIP() << "its variables have no names";
  const OpenProgram program{path_};
  const auto types = TypeDescriptors::open(*program);
  std::map<std::string, PackageVariable> found;
  for (const PackageVariable &variable : roots_of(*program).variables)
    found.emplace(variable.name, variable);
  const auto points_to = [&](const std::string &name, bool is_slice, std::string_view type) {
    const PackageVariable &variable = found[name];
    EXPECT_EQ(variable.is_slice, is_slice) << name;
    EXPECT_EQ(variable.type.value, 0u) << name;
    EXPECT_EQ(types->name(variable.pointee), type) << name;
  };
  points_to("main.requests", true, "main.request");
  points_to("main.copied", true, "map[string]int");
  points_to("main.toMap", false, "map[string]int");
  points_to("main.ofHolders[]", false, "[5]main.holder");
  EXPECT_EQ(found["main.ofHolders[]"].count, 4u);
  EXPECT_EQ(types->name(found["main.locked.values"].type), "map[string]int");
  EXPECT_EQ(types->name(found["main.embedded.sub.deep[][]"].type), "map[int]float64");
}

TEST_P(ProgramRootsTest, ClosuresHaveTheStructThatTheyCapture) {
  const OpenProgram program{path_};
  const auto closures = closures_of(*program);
  const auto captured = closures.find("main.capture.func1");
  ASSERT_NE(captured, closures.end());
  EXPECT_TRUE(captured->second.starts_with("struct { F uintptr; ")) << captured->second;
  EXPECT_TRUE(captured->second.ends_with(" map[string]int }")) << captured->second;
  const auto more = closures.find("main.captureMore.func1");
  ASSERT_NE(more, closures.end());
  EXPECT_NE(more->second.find(" map[uint16]string"), std::string::npos) << more->second;
}

TEST_P(ProgramRootsTest, StrippingTakesNoClosureAway) {
  const auto plain = owners_workload(GetParam().version, "plain");
  if (!is_stripped() || !plain)
    GTEST_SKIP() << "not stripped, or nothing to compare it with";
  EXPECT_EQ(closures_of(*OpenProgram{path_}), closures_of(*OpenProgram{*plain}));
}

TEST_P(ProgramRootsTest, CodeAndDwarfTellTheSameTypesOfVariables) {
  const OpenProgram program{path_};
  const auto types = TypeDescriptors::open(*program);
  const auto masked = read_masked_data(*program);
  ASSERT_TRUE(masked);
  const CodeRoots code = read_code_roots(*program, *types, *masked, false);
  EXPECT_GE(code.variables.size(), 4u);
  if (is_stripped()) {
    EXPECT_EQ(with(RootEvidence::code, roots_of(*program)).size(), code.variables.size());
    return;
  }
  std::map<ElfAddress, PackageVariable> by_address;
  const auto described = read_dwarf_variables(*program, *types);
  ASSERT_TRUE(described);
  for (const PackageVariable &variable : described->variables)
    by_address.emplace(variable.address, variable);
  std::size_t slices = 0;
  for (const PackageVariable &variable : code.variables) {
    ASSERT_TRUE(by_address.contains(variable.address)) << variable.address.value;
    const PackageVariable &known = by_address[variable.address];
    slices += variable.is_slice;
    if (!variable.is_slice)
      EXPECT_EQ(known.type, variable.type) << known.name;
    else if (known.type.value == 0)
      EXPECT_EQ(known.pointee, variable.pointee) << known.name;
    else
      EXPECT_EQ(types->name(known.type), fmt::format("[]{}", types->name(variable.pointee)));
  }
  EXPECT_GE(slices, 10u);
}

TEST_P(ProgramRootsTest, MaskedDataIsWhatTheLinkerSays) {
  if (is_stripped())
    GTEST_SKIP() << "it has no symbols";
  const OpenProgram program{path_};
  const auto symbols = symbols_of(path_);
  const auto masked = read_masked_data(*program);
  ASSERT_TRUE(masked);
  ASSERT_EQ(masked->size(), 2u);
  EXPECT_EQ((*masked)[0].range.start.value, symbols.at("runtime.data"));
  EXPECT_EQ((*masked)[0].range.end().value, symbols.at("runtime.edata"));
  EXPECT_EQ((*masked)[1].range.start.value, symbols.at("runtime.bss"));
  EXPECT_EQ((*masked)[1].range.end().value, symbols.at("runtime.ebss"));
  for (const MaskedData &data : *masked)
    EXPECT_EQ(program->elf().read_pointer(data.field).value(), 0u); // the runtime fills it
}

// A function that uses a variable, where the program says which ones do.
TEST_P(ProgramRootsTest, CodeThatUsesAVariableIsNamed) {
  if (is_stripped())
    GTEST_SKIP() << "nothing says where its variables lie";
  const OpenProgram program{path_};
  const auto symbols = symbols_of(path_);
  const auto types = TypeDescriptors::open(*program);
  const auto masked = read_masked_data(*program);
  ASSERT_TRUE(masked);
  std::map<std::uint64_t, DataUse> uses;
  for (const DataUse &use : read_code_roots(*program, *types, *masked, true).uses)
    uses.emplace(use.address.value, use);
  for (const auto &[variable, user] : std::initializer_list<std::pair<const char *, const char *>>{
           {"main.direct", "main.variables"},
           {"main.store", "main.structs"},
           {"main.handlers", "main.closures"},
           {"main.finalized", "main.finalizers"}}) {
    const DataUse &use = uses[symbols.at(variable)];
    EXPECT_EQ(use.function, user) << variable;
    EXPECT_FALSE(use.is_runtime);
  }
  EXPECT_TRUE(uses[symbols.at("runtime.allgs")].is_runtime);
}

// Patterns against a decoder that reads each instruction. What they find elsewhere than in data,
// nobody asks for.
TEST_P(ProgramRootsTest, OperandsThatPatternsFindAreOperandsOfInstructions) {
  if (GetParam().mode != "plain")
    GTEST_SKIP() << "the code is that of the plain program";
  const OpenProgram program{path_};
  const auto masked = read_masked_data(*program);
  ASSERT_TRUE(masked);
  const auto is_word = [&](std::uint64_t address) {
    return address % 8 == 0 && std::ranges::any_of(*masked, [&](const MaskedData &data) {
             return data.range.contains({address});
           });
  };
  std::size_t found = 0, missed = 0, wrong = 0;
  for (const FunctionView &function : program->functions()) {
    if (!function.name.starts_with("main.") && !function.name.starts_with("fmt.") &&
        !function.name.starts_with("runtime."))
      continue;
    const auto code = program->code(function.range);
    ASSERT_TRUE(code);
    std::set<std::uint64_t> truth, seen;
    const auto instructions = decode({Machine::amd64, function.range.start, *code});
    if (!instructions)
      continue; // assembly may hold data
    for (const Instruction &instruction : *instructions)
      if (const auto target = instruction.kind == InstructionKind::address ? instruction.target
                                                                           : instruction.variable;
          target && is_word(target->value))
        truth.insert(target->value);
    for_each_relative_operand(*code, function.range.start.value, [&](const RelativeOperand &one) {
      if (one.opcode != 0x10 && one.opcode != 0x11 && is_word(one.target)) // these are of 16 bytes
        seen.insert(one.target);
    });
    for (const std::uint64_t target : seen)
      wrong += !truth.contains(target);
    found += seen.size();
    missed += truth.size() - std::min(seen.size(), truth.size());
  }
  EXPECT_GT(found, 500u);
  EXPECT_LT(missed, found / 20) << "of " << found;
  // What lies in front of an instruction on four bytes can look like the prefix of one on eight.
  EXPECT_LE(wrong, found / 500) << "of " << found;
}

TEST_P(ProgramRootsTest, ComeThroughTheConfinedParserAsTheyAre) {
  const OpenProgram program{path_};
  auto confined = ConfinedBinary::open(Fd{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)}, path_);
  ASSERT_TRUE(confined) << confined.error().message();
  const auto roots = (*confined)->roots();
  ASSERT_TRUE(roots) << roots.error().message();
  EXPECT_EQ(**roots, roots_of(*program));
  EXPECT_EQ((*confined)->roots().value(), *roots); // asked for once
  EXPECT_EQ((*roots)->uses.empty(), !is_stripped());
}

std::vector<PackageVariable> variables_of(SyntheticDwarf dwarf) {
  SyntheticGo program;
  program.extra_sections = {{".debug_abbrev", SyntheticDwarf::abbreviations()},
                            {".debug_info", dwarf.information()}};
  const auto file = program.make();
  const auto binary = GoBinary::open(file, "tiny");
  EXPECT_TRUE(binary) << binary.error().message();
  return binary ? roots_of(*binary).variables : std::vector<PackageVariable>{};
}

TEST(SyntheticRootsTest, AnArrayOfStructsIsToldByTheMembersOfEach) {
  const auto variables = variables_of({});
  ASSERT_EQ(variables.size(), 7u);
  EXPECT_EQ(variables[0].name, "main.store");
  for (std::size_t i = 1; i < variables.size(); ++i) {
    EXPECT_EQ(variables[i].name, "main.all[].next");
    EXPECT_EQ(variables[i].address.value, 0x400000 + 8 * i);
    EXPECT_EQ(variables[i].type.value, 0u);
    EXPECT_EQ(variables[i].size_bytes, 8u);
  }
}

TEST(SyntheticRootsTest, ACircleOfTypesEnds) {
  SyntheticDwarf dwarf;
  dwarf.is_circle = true;
  const auto variables = variables_of(dwarf);
  ASSERT_EQ(variables.size(), 1u); // no word of main.all has a type that ends
  EXPECT_EQ(variables[0].name, "main.store");
}

std::vector<Build> builds() {
  std::vector<Build> all;
  for (const std::string &version : kGoReleases)
    for (const char *mode : {"plain", "stripped", "pie", "cgo"})
      all.push_back({version, mode});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Builds, ProgramRootsTest, ::testing::ValuesIn(builds()),
                         [](const auto &build) {
                           std::string name = build.param.version + "_" + build.param.mode;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
