// Probe points in real programs of every Go version, against nm and objdump.
#include "binary/probe_points.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "binary/layout_dwarf.h"
#include "binary/layout_table.h"
#include "binary/probe_catalog.h"
#include "bpf/contract/targets.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

class ProgramTest : public ::testing::Test {
protected:
  void open(const std::string &program) {
    path_ = program;
    bytes_ = testing::file_bytes(program);
    auto opened = GoBinary::open(bytes_, program);
    ASSERT_TRUE(opened) << opened.error().message();
    binary_.emplace(*std::move(opened));
    facts_.machine = binary_->elf().machine();
    facts_.version = binary_->build_info().toolchain.version;
    auto filled = fill_probe_points(*binary_, facts_);
    ASSERT_TRUE(filled) << filled.error().message();
  }

  std::vector<const ProbePoint *> points() const {
    std::vector<const ProbePoint *> all;
    for (const auto &[operation, points] : facts_.operations)
      for (const ProbePoint &point : points)
        all.push_back(&point);
    for (const auto &[request, point] : facts_.heap_requests)
      all.push_back(&point);
    for (const auto &[function, point] : facts_.misuse)
      all.push_back(&point);
    for (const ProbePoint &point : facts_.map_writes)
      all.push_back(&point);
    return all;
  }

  std::set<std::string> probed_functions() const {
    std::set<std::string> functions;
    for (const ProbePoint *point : points())
      functions.insert(point->function);
    return functions;
  }

  bool is_inlined(std::string_view function, std::string_view into) const {
    return std::ranges::any_of(facts_.inlined_copies, [&](const InlinedCopy &copy) {
      return copy.function == function && copy.into == into;
    });
  }

  bool warns_of(std::string_view text) const {
    return std::ranges::any_of(facts_.warnings, [&](const std::string &warning) {
      return warning.find(text) != warning.npos;
    });
  }

  std::string path_;
  std::vector<std::byte> bytes_;
  std::optional<GoBinary> binary_;
  BinaryFacts facts_;
};

struct Build {
  std::string version;
  std::string mode;
};

void PrintTo(const Build &build, std::ostream *out) {
  *out << "Go " << build.version << ", " << build.mode;
}

class BuildTest : public ProgramTest, public ::testing::WithParamInterface<Build> {
protected:
  void SetUp() override {
    auto program = workload(GetParam().version, GetParam().mode);
    if (!program)
      GTEST_SKIP() << "The workload growth of Go " << GetParam().version << ", " << GetParam().mode
                   << ", is not built; run tools/build-workloads.";
    open(*program);
  }
};

// A probe inside an instruction kills the target, so this one is about every version and mode.
class SafetyTest : public BuildTest {};

TEST_P(SafetyTest, EveryProbeIsOnAnInstructionThatObjdumpSeesToo) {
  ASSERT_FALSE(points().empty());
  for (const ProbePoint *point : points()) {
    SCOPED_TRACE(point->function);
    auto code = disassemble(path_, point->entry.value, point->size_bytes);
    std::vector<ElfAddress> returns;
    std::string probed;
    for (const DisassembledInstruction &instruction : code) {
      if (instruction.address == point->address.value)
        probed = instruction.text;
      if (instruction.text.starts_with("ret"))
        returns.push_back({instruction.address});
    }
    bool has_push = facts_.version >= GoVersion{1, 21, 0};
    bool has_check = point->address != point->entry;
    if (has_push)
      EXPECT_TRUE(probed.starts_with("push   %rbp")) << probed;
    else if (has_check)
      EXPECT_TRUE(probed.starts_with("jbe ")) << probed;
    else
      EXPECT_TRUE(probed.starts_with("sub ")) << probed;
    EXPECT_EQ(point->emulated, has_push || has_check);

    std::vector<ElfAddress> found;
    std::ranges::transform(point->returns, std::back_inserter(found), &ReturnPoint::address);
    EXPECT_EQ(found, returns);
  }
}

TEST_P(SafetyTest, TheFileHasTheExpectedBytesAtTheOffset) {
  for (const ProbePoint *point : points()) {
    ASSERT_FALSE(point->expected.empty()) << point->function;
    ASSERT_LE(point->offset.value + point->expected.size(), bytes_.size());
    std::vector<std::uint8_t> there(point->expected.size());
    std::memcpy(there.data(), bytes_.data() + point->offset.value, there.size());
    EXPECT_EQ(there, point->expected) << point->function;
    for (const ReturnPoint &place : point->returns)
      EXPECT_EQ(bytes_.at(place.offset.value), std::byte{0xc3}) << point->function;
  }
}

// Against the symbol table, so for builds that have one.
class SymbolTest : public BuildTest {};

TEST_P(SymbolTest, OperationsAreTheFunctionsThatNmHas) {
  auto symbols = symbols_of(path_);
  auto expected =
      GetParam().version >= "1.24" ? MapImplementation::swiss : MapImplementation::classic;
  ASSERT_EQ(facts_.map_implementation, expected);
  auto probed = probed_functions();
  for (const OperationFunction &known : operation_functions(expected))
    EXPECT_EQ(probed.contains(std::string{known.function}),
              symbols.contains(std::string{known.function}))
        << known.function;
  for (const ProbePoint *point : points())
    EXPECT_EQ(point->entry.value, symbols.at(point->function)) << point->function;
  EXPECT_EQ(facts_.heap_requests.size(), 2u);
  EXPECT_TRUE(facts_.inlined_copies.empty());
  EXPECT_TRUE(facts_.warnings.empty()) << facts_.warnings.front();
}

TEST_P(SymbolTest, RuntimeTextHasTheRuntimeAndNoUserCode) {
  for (const auto &[name, address] : symbols_of(path_)) {
    bool in_runtime_text = facts_.runtime_text.contains({address});
    bool is_runtime = name.starts_with("runtime.") && name.ends_with(".abi0");
    bool is_other = name.starts_with("main.") || name.starts_with("mapscope.dev/") ||
                    name.starts_with("fmt.") || name.starts_with("os.(*File)");
    if (facts_.text.contains({address}) && (is_runtime || is_other)) {
      EXPECT_EQ(in_runtime_text, is_runtime) << name;
    }
  }
  EXPECT_TRUE(facts_.runtime_text.contains({symbols_of(path_).at("runtime.mallocgc")}));
}

TEST_P(SymbolTest, WritersLieInAtMostFourRanges) {
  EXPECT_GE(facts_.map_functions.size(), 15u);
  EXPECT_GE(facts_.map_ranges.size(), 1u);
  EXPECT_LE(facts_.map_ranges.size(), std::size_t{MAP_RANGES_MAX});
  for (const FunctionRange &function : facts_.map_functions)
    EXPECT_TRUE(std::ranges::any_of(facts_.map_ranges, [&](const ElfRange &range) {
      return range.contains(function.range.start) &&
             function.range.end().value <= range.end().value;
    })) << function.function;
}

TEST_P(SymbolTest, SwitchPointsAreWhereNmHasThem) {
  auto symbols = symbols_of(path_);
  EXPECT_EQ(facts_.systemstack_switch.value, symbols.at("runtime.systemstack_switch.abi0"));
  EXPECT_EQ(facts_.tls_offset, -8);
  bool has_syscall6 = facts_.version >= GoVersion{1, 19, 0};
  EXPECT_EQ(facts_.syscall6.size_bytes != 0, has_syscall6);
  if (has_syscall6) {
    auto entry = std::ranges::find_if(symbols, [](const auto &symbol) {
      return symbol.first.find("runtime/") != std::string::npos &&
             (symbol.first.ends_with("syscall.Syscall6") ||
              symbol.first.ends_with("syscall/linux.Syscall6"));
    });
    ASSERT_NE(entry, symbols.end());
    EXPECT_EQ(facts_.syscall6.start.value, entry->second);
  }
}

TEST_P(SymbolTest, DwarfAndTheTableAgree) {
  auto dwarf = read_dwarf_offsets(binary_->elf(), layout_names());
  ASSERT_TRUE(dwarf) << dwarf.error().message();
  auto table = layout_for(facts_.version, facts_.machine, {});
  ASSERT_EQ(table.source, LayoutSource::table);
  EXPECT_TRUE(dwarf->contains("runtime.g.goid"));
  EXPECT_TRUE(dwarf->contains("runtime.mheap.central[7].mcentral.full[1].spineLen"));
  for (const auto &[name, offset] : *dwarf)
    EXPECT_EQ(table.find(name), offset) << name;
}

std::vector<Build> builds(std::initializer_list<std::string> modes) {
  std::vector<Build> all;
  for (const std::string &version : kGoReleases)
    for (const std::string &mode : modes)
      all.push_back({version, mode});
  return all;
}

std::string build_name(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("go{}_{}", info.param.version, info.param.mode);
  std::ranges::replace(name, '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(AllBuilds, SafetyTest,
                         ::testing::ValuesIn(builds({"plain", "stripped", "pie", "cgo"})),
                         build_name);
INSTANTIATE_TEST_SUITE_P(PlainBuilds, SymbolTest, ::testing::ValuesIn(builds({"plain"})),
                         build_name);

class VariantTest : public ProgramTest {
protected:
  void build(const std::string &name, const std::string &version, const std::string &environment,
             const std::string &arguments) {
    auto program = workload_variant(name, version, environment, arguments);
    if (!program)
      GTEST_SKIP() << "Go " << version << " cannot be had, so " << name << " was not built.";
    open(*program);
  }
};

TEST_F(VariantTest, ClassicMapsOfGo124AreToldFromSwissOnes) {
  build("noswissmap", "1.24.13", "GOEXPERIMENT=noswissmap", "");
  if (!binary_)
    return;
  EXPECT_EQ(facts_.map_implementation, MapImplementation::classic);
  EXPECT_TRUE(probed_functions().contains("runtime.hashGrow"));
  EXPECT_FALSE(facts_.operations.contains(MAP_OPERATION_NEW_MAP));
}

TEST_F(VariantTest, GrowthThatAProfileInlinedIsWarnedOf) {
  build("pgo-classic", "1.22.12", "", "-pgo=../tests/fixtures/pgo/classic.pprof");
  if (!binary_)
    return;
  EXPECT_TRUE(is_inlined("runtime.hashGrow", "runtime.mapassign_faststr"));
  EXPECT_TRUE(warns_of("growth in runtime.mapassign_faststr is not seen by a probe"));
}

TEST_F(VariantTest, MakemapStandsInForACopyOfNewMap) {
  build("pgo-swiss", "1.24.13", "", "-pgo=../tests/fixtures/pgo/swiss.pprof");
  if (!binary_)
    return;
  EXPECT_TRUE(is_inlined("internal/runtime/maps.NewMap", "runtime.makemap"));
  EXPECT_TRUE(
      std::ranges::any_of(facts_.operations[MAP_OPERATION_NEW_MAP], [](const ProbePoint &point) {
        return point.function == "runtime.makemap";
      }));
  // Table growth is inlined too, into rehash, which is probed: its window covers it.
  EXPECT_TRUE(
      is_inlined("internal/runtime/maps.(*table).grow", "internal/runtime/maps.(*table).rehash"));
  EXPECT_TRUE(facts_.warnings.empty()) << facts_.warnings.front();
}

TEST_F(VariantTest, Arm64ProbesAreOnTheJumpOfTheStackCheck) {
  build("arm64", "1.27.4", "GOARCH=arm64", "");
  if (!binary_)
    return;
  EXPECT_EQ(facts_.tls_offset, std::nullopt);
  auto probed = probed_functions();
  EXPECT_TRUE(probed.contains("internal/runtime/maps.(*table).rehash"));
  for (const auto &[operation, points] : facts_.operations)
    for (const ProbePoint &point : points) {
      EXPECT_TRUE(point.emulated) << point.function;
      // b.ls: the condition is in the lowest four bits, the opcode in the highest byte.
      EXPECT_EQ(point.expected.at(3), 0x54) << point.function;
      EXPECT_EQ(point.expected.at(0) & 0x1f, 0x09) << point.function;
      EXPECT_FALSE(point.returns.empty()) << point.function;
    }
}

} // namespace
} // namespace mapscope
