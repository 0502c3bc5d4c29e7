// Map types of real programs, against what these find out about themselves.
#include "binary/map_types.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/go_names.h"
#include "binary/confined_parser.h"
#include "binary/instruction_decoder.h"
#include "binary/map_calls.h"
#include "binary/probe_catalog.h"
#include "support/file_content.h"
#include "unit/binary/built_programs.h"
#include "wire/map_type_json.h"

namespace mapscope {
namespace {

struct Build {
  const char *name, *version, *environment, *arguments, *implementation;
  friend void PrintTo(const Build &build, std::ostream *stream) {
    *stream << "Go " << build.version << ", " << build.name;
  }
};

std::string name_of(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("Go{}_{}", info.param.version, info.param.name);
  std::ranges::replace(name, '.', '_');
  return name;
}

std::optional<std::string> program_of(const Build &build) {
  return built({"tests/unit/binary/map_types", ".",
                fmt::format("map_types_{}_{}", build.version, build.name)},
               build.version, build.environment, build.arguments);
}

// What the program says of itself, addresses as linked.
struct Truth {
  std::map<ElfAddress, MapType> types;
  std::vector<ElfAddress> others;
  std::map<std::string, std::set<std::string>> calls;
};

Truth truth_of(const std::string &program, const Build &build, ElfAddress main) {
  std::istringstream lines{
      output_of(fmt::format("{} {}", program, build.implementation)).value_or("")};
  Truth truth;
  LoadBias bias;
  for (std::string kind; lines >> kind;) {
    ProcessAddress address;
    if (kind == "call") {
      std::string function, type;
      std::getline(lines >> function >> std::ws, type);
      truth.calls[function].insert(type);
      continue;
    }
    lines >> std::hex >> address.value >> std::dec >> std::boolalpha;
    if (kind == "main")
      bias = {address.value - main.value};
    else if (kind == "other")
      truth.others.push_back(bias.to_elf(address));
    else {
      MapType type;
      lines >> type.key_bytes >> type.element_bytes >> type.group_bytes >>
          type.group_has_pointers >> type.key_is_indirect >> type.element_is_indirect >> std::ws;
      std::getline(lines, type.name);
      truth.types.emplace(bias.to_elf(address), type);
    }
  }
  return truth;
}

// Where the calls in a function return to.
std::vector<ElfAddress> return_addresses(const GoBinary &binary, const FunctionView &function) {
  std::vector<ElfAddress> addresses;
  const auto code = binary.code(function.range);
  if (!code)
    return addresses;
  const auto decoded = decode({binary.elf().machine(), function.range.start, *code});
  if (!decoded)
    return addresses;
  for (const Instruction &instruction : *decoded)
    if (instruction.kind == InstructionKind::call)
      addresses.push_back(instruction.end());
  return addresses;
}

bool is_map_call(const GoBinary &binary, ElfAddress return_address) {
  const auto function = binary.function_at({return_address.value - 1});
  const auto code = binary.code(function->range);
  const auto decoded = decode({binary.elf().machine(), function->range.start, *code});
  const auto call = std::ranges::find(*decoded, return_address, &Instruction::end);
  const auto callee = binary.function_at(*call->target);
  return callee && takes_map_type_first(callee->name);
}

// By its name, which has "[...]" for type arguments until Go 1.20.
std::optional<FunctionView> find(const GoBinary &binary, std::string_view name) {
  if (!name.ends_with("[...]"))
    return binary.find_function(name);
  name.remove_suffix(std::string_view{"...]"}.size());
  const auto found = std::ranges::find_if(binary.functions(), [&](const FunctionView &function) {
    return function.name.starts_with(name);
  });
  return found == binary.functions().end() ? std::nullopt : std::optional{*found};
}

// The types that the map calls of one function pass.
std::set<std::string> types_passed_in(const GoBinary &binary, const FunctionView &function) {
  std::set<std::string> types;
  const MapTypeReader reader{binary};
  for (ElfAddress address : return_addresses(binary, function))
    if (is_map_call(binary, address)) {
      const auto type = map_type_at_call(binary, reader, address);
      types.insert(type ? type->name : "-");
    }
  return types;
}

class MapTypesTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    auto program = program_of(GetParam());
    if (!program)
      GTEST_SKIP() << "Go " << GetParam().version << " cannot be had or does not build the program";
    path_ = *program;
    open(path_);
    const auto main = binary_->find_function("main.main");
    ASSERT_TRUE(main);
    truth_ = truth_of(path_, GetParam(), main->range.start);
    ASSERT_GE(truth_.types.size(), 22u);
  }

  void open(const std::string &path) {
    bytes_ = testing::file_bytes(path);
    auto opened = GoBinary::open(bytes_, path);
    ASSERT_TRUE(opened) << opened.error().message();
    binary_.emplace(*std::move(opened));
  }

  std::string path_;
  std::vector<std::byte> bytes_;
  std::optional<GoBinary> binary_;
  Truth truth_;
};

TEST_P(MapTypesTest, AreWhatTheProgramSays) {
  const MapTypeReader reader{*binary_};
  for (const auto &[descriptor, expected] : truth_.types) {
    const auto type = reader.read(descriptor);
    ASSERT_TRUE(type) << expected.name;
    EXPECT_EQ(type->name, expected.name);
    EXPECT_EQ(*type, expected) << fmt::format(
        "{}: key {} element {} group {} pointers {} indirect {} {}", expected.name, type->key_bytes,
        type->element_bytes, type->group_bytes, type->group_has_pointers, type->key_is_indirect,
        type->element_is_indirect);
  }
}

TEST_P(MapTypesTest, NothingElseIsOne) {
  const MapTypeReader reader{*binary_};
  for (ElfAddress other : truth_.others)
    EXPECT_FALSE(reader.read(other)) << fmt::format("{:#x}", other.value);
  for (const auto &[descriptor, expected] : truth_.types)
    for (std::int64_t off : {-8, -1, 1, 8, 48})
      EXPECT_FALSE(reader.read({descriptor.value + static_cast<std::uint64_t>(off)}))
          << expected.name << " " << off;
  for (std::uint64_t address : {std::uint64_t{0}, binary_->module_data().text.start.value,
                                binary_->module_data().types.end().value, ~std::uint64_t{0}})
    EXPECT_FALSE(reader.read({address}));
}

TEST_P(MapTypesTest, DamagedOnesAreRefusedOrPossible) {
  constexpr std::size_t kDescriptorBytes = 136;
  const MapTypeReader reader{*binary_};
  std::size_t refused = 0;
  for (const auto &[descriptor, expected] : truth_.types) {
    const auto offset = binary_->file_offset(descriptor);
    ASSERT_TRUE(offset);
    for (std::size_t at = 0; at < kDescriptorBytes; ++at)
      for (int wild : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        std::byte &byte = bytes_.at(offset->value + at);
        const std::byte whole = std::exchange(byte, std::byte(wild));
        const auto type = reader.read(descriptor);
        EXPECT_TRUE(!type || is_possible(*type)) << expected.name << " " << at;
        refused += type ? 0 : 1;
        byte = whole;
      }
  }
  EXPECT_GT(refused, truth_.types.size() * 40);
}

TEST_P(MapTypesTest, ACallTellsTheTypeThatItPasses) {
  for (const auto &[name, expected] : truth_.calls) {
    const auto function = find(*binary_, name);
    ASSERT_TRUE(function) << name;
    EXPECT_EQ(types_passed_in(*binary_, *function), expected) << name;
  }
}

// Those aside that have a type from elsewhere: reflect, and generic code.
TEST_P(MapTypesTest, EveryCallOfAProgramTells) {
  std::size_t function_count = 0;
  for (const FunctionView &function : binary_->functions()) {
    const auto package = package_of(function.name);
    if (is_runtime_package(package) || package == "reflect" || function.name.contains('['))
      continue;
    const auto types = types_passed_in(*binary_, function);
    EXPECT_FALSE(types.contains("-")) << function.name;
    function_count += types.empty() ? 0 : 1;
  }
  EXPECT_GE(function_count, 20u);
}

TEST_P(MapTypesTest, TheConfinedParserAnswersAlike) {
  auto confined = ConfinedBinary::open(Fd{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)}, path_);
  ASSERT_TRUE(confined) << confined.error().message();
  std::vector<ElfAddress> descriptors = truth_.others;
  for (const auto &[descriptor, expected] : truth_.types)
    descriptors.push_back(descriptor);
  const auto function = binary_->find_function("main.assignString");
  const auto calls = return_addresses(*binary_, *function);
  const MapTypeReader reader{*binary_};
  for (int turn = 0; turn < 2; ++turn) { // the second time from memory
    const auto types = (*confined)->map_types(descriptors);
    ASSERT_TRUE(types) << types.error().message();
    ASSERT_EQ(types->size(), descriptors.size());
    for (std::size_t i = 0; i < descriptors.size(); ++i)
      EXPECT_EQ((*types)[i], reader.read(descriptors[i]));
    const auto passed = (*confined)->map_types_at_calls(calls);
    ASSERT_TRUE(passed) << passed.error().message();
    EXPECT_EQ(std::ranges::count_if(
                  *passed, [](const auto &type) { return type && type->name == "map[string]int"; }),
              1);
  }
}

constexpr Build kBuilds[] = {
    {"plain", "1.17.13", "", "", "classic"},
    {"stripped", "1.17.13", "", "-ldflags='-s -w'", "classic"},
    {"pie", "1.17.13", "", "-buildmode=pie", "classic"},
    {"plain", "1.19.13", "", "", "classic"},
    {"plain", "1.21.13", "", "", "classic"},
    {"pie", "1.21.13", "", "-buildmode=pie", "classic"},
    {"plain", "1.22.12", "", "", "classic"},
    {"plain", "1.23.12", "", "", "classic"},
    {"noswissmap", "1.24.13", "GOEXPERIMENT=noswissmap", "", "classic"},
    {"noswissmap", "1.25.14", "GOEXPERIMENT=noswissmap", "", "classic"},
    {"plain", "1.24.13", "", "", "swiss"},
    {"pie", "1.24.13", "", "-buildmode=pie", "swiss"},
    {"plain", "1.25.14", "", "", "swiss"},
    {"plain", "1.26.8", "", "", "swiss"},
    {"stripped", "1.26.8", "", "-ldflags='-s -w'", "swiss"},
    {"pie", "1.26.8", "", "-buildmode=pie", "swiss"},
    {"plain", "1.27.4", "", "", "swiss"},
    {"stripped", "1.27.4", "", "-ldflags='-s -w'", "swiss"},
    {"pie", "1.27.4", "", "-buildmode=pie", "swiss"},
    {"mapsplitgroup", "1.27.4", "GOEXPERIMENT=mapsplitgroup", "", "split"},
};
INSTANTIATE_TEST_SUITE_P(Builds, MapTypesTest, ::testing::ValuesIn(kBuilds), name_of);

} // namespace
} // namespace mapscope
