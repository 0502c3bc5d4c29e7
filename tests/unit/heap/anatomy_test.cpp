// Maps taken apart, against programs that take their own maps apart.
#include "heap/anatomy.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/process_files.h"
#include "heap/go_types.h"
#include "memory/live_process.h"
#include "support/census_program.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

struct Build {
  std::string version, mode; // of tools/build-workloads
};

std::string name_of(const ::testing::TestParamInfo<Build> &build) {
  std::string name = "Go" + build.param.version + "_" + build.param.mode;
  std::ranges::replace(name, '.', '_');
  return name;
}

class AnatomyCensusTest : public ::testing::TestWithParam<Build> {};

// Every map of the program that tells each kind of map there is.
TEST_P(AnatomyCensusTest, CountsTheBytesThatTheCensusCounts) {
  auto path = fmt::format("{}/build/workloads/{}/{}/census", SOURCE_DIRECTORY, GetParam().version,
                          GetParam().mode);
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is not built; tools/build-workloads does that";
  CensusProgram program(path, {"-n", "300", "-noise", "0"});
  ASSERT_TRUE(program.is_ready());
  auto census = take_census(program.memory(), program.anchors, program.facts);
  ASSERT_TRUE(census) << census.error().message();
  std::size_t compared = 0;
  for (std::size_t i = 0; i < census->maps.size(); ++i) {
    MapSample map = census->maps[i];
    if (!program.maps.contains(map.address.value))
      continue;
    auto anatomy =
        take_apart(program.memory(), program.anchors, program.facts, map.address, nullptr);
    ASSERT_TRUE(anatomy) << anatomy.error().message();
    EXPECT_EQ(anatomy->map.bytes.total() - anatomy->map.bytes.indirect,
              map.bytes.total() - map.bytes.indirect);
    EXPECT_EQ(anatomy->map.seed, map.seed);
    EXPECT_EQ(anatomy->map.len, map.len);
    EXPECT_EQ(anatomy->map.slots, map.slots);
    EXPECT_EQ(anatomy->map.tombstones, map.tombstones);
    EXPECT_EQ(anatomy->map.history, map.history);
    std::uint64_t bytes = 0;
    for (const MapObject &object : anatomy->objects)
      bytes += object.bytes;
    EXPECT_EQ(bytes, anatomy->map.bytes.total());
    ++compared;
  }
  EXPECT_GE(compared, 250u);
}

INSTANTIATE_TEST_SUITE_P(Programs, AnatomyCensusTest,
                         ::testing::Values(Build{"1.17.13", "plain"}, Build{"1.19.13", "plain"},
                                           Build{"1.21.13", "plain"}, Build{"1.22.12", "plain"},
                                           Build{"1.23.12", "plain"}, Build{"1.24.13", "plain"},
                                           Build{"1.25.14", "plain"}, Build{"1.26.8", "plain"},
                                           Build{"1.27.4", "plain"}, Build{"1.17.13", "pie"},
                                           Build{"1.27.4", "stripped"}),
                         name_of);

// What tests/fixtures/map_anatomy says of one of its maps.
struct TrueAnatomy {
  std::uint64_t address = 0;
  std::map<std::string, std::string> fields;

  std::uint64_t number(const std::string &field) const {
    std::uint64_t value = 0;
    const std::string &text = fields.at(field);
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
};

std::map<std::string, TrueAnatomy> parse(const CensusProgram &program) {
  std::map<std::string, TrueAnatomy> maps;
  for (const auto &[address, line] : program.noise) {
    TrueAnatomy map{.address = address};
    for (std::size_t start = 0; start < line.size();) {
      std::size_t end = std::min(line.find(' ', start), line.size());
      std::string field = line.substr(start, end - start);
      map.fields[field.substr(0, field.find('='))] = field.substr(field.find('=') + 1);
      start = end + 1;
    }
    maps[map.fields["name"]] = map;
  }
  return maps;
}

const char *name_of(MapPart part) {
  switch (part) {
  case MapPart::header:
    return "header";
  case MapPart::directory:
    return "directory";
  case MapPart::table:
    return "tables";
  case MapPart::groups:
    return "groups";
  case MapPart::buckets:
    return "buckets";
  case MapPart::old_buckets:
    return "old";
  case MapPart::overflow_bucket:
    return "overflow";
  case MapPart::overflow_list:
    return "lists";
  case MapPart::indirect_key:
    return "keys";
  case MapPart::indirect_element:
    return "elements";
  }
  return "?";
}

std::string parts_of(const MapAnatomy &anatomy) {
  struct Sum {
    std::uint64_t count = 0, bytes = 0, asked_bytes = 0;
  };
  std::map<std::string, Sum> sums;
  for (const MapObject &object : anatomy.objects) {
    Sum &sum = sums[name_of(object.part)];
    sum.count += object.count;
    sum.bytes += object.bytes;
    sum.asked_bytes += object.asked_bytes;
  }
  std::string text;
  for (const auto &[name, sum] : sums)
    text += fmt::format("{}{}:{}:{}:{}", text.empty() ? "" : ",", name, sum.count, sum.bytes,
                        sum.asked_bytes);
  return text;
}

std::string tables_of(const MapAnatomy &anatomy) {
  std::string text;
  for (const TableAnatomy &table : anatomy.tables)
    text += fmt::format("{}{:x}:{:x}:{}", text.empty() ? "" : ",", table.address.value,
                        table.groups.value, table.used);
  return text;
}

std::string chains_of(const MapAnatomy &anatomy) {
  std::string text;
  for (std::size_t i = 0; i < anatomy.chain_lengths.size(); ++i)
    if (anatomy.chain_lengths[i] != 0)
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", i, anatomy.chain_lengths[i]);
  return text;
}

class AnatomyTest : public ::testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    auto path = built({"tests/fixtures/map_anatomy", ".", "map_anatomy-" + GetParam()}, GetParam(),
                      "", "-trimpath");
    if (!path)
      GTEST_SKIP() << "Go " << GetParam() << " can't be had";
    program_.emplace(*path, std::vector<std::string>{});
    ASSERT_TRUE(program_->is_ready());
    maps_ = parse(*program_);
    auto stat = read_process_stat(program_->pid());
    ASSERT_TRUE(stat);
    auto memory =
        LiveProcess::open({static_cast<std::uint32_t>(program_->pid()), stat->start_time_ns});
    ASSERT_TRUE(memory) << memory.error().message();
    memory_ = std::move(*memory);
  }

  Result<MapAnatomy> take(const std::string &name, const MapTypeLayout *type = nullptr,
                          const AnatomyOptions &options = {}) {
    return take_apart(*memory_, program_->anchors, program_->facts, {maps_.at(name).address}, type,
                      options);
  }

  // The type of that name.
  std::optional<MapTypeLayout> type(const std::string &name) {
    if (types_.empty())
      if (auto types = GoTypes::read(*memory_, program_->anchors.types, program_->facts))
        types_ = types->map_types();
    auto found = std::ranges::find(types_, name,
                                   [](const MapTypeLayout &layout) { return layout.type.name; });
    return found == types_.end() ? std::nullopt : std::optional{*found};
  }

  const std::map<std::string, TrueAnatomy> &maps() const { return maps_; }
  LiveProcess &memory() { return *memory_; }
  const CensusProgram &program() const { return *program_; }

private:
  std::optional<CensusProgram> program_;
  std::map<std::string, TrueAnatomy> maps_;
  std::vector<MapTypeLayout> types_;
  std::unique_ptr<LiveProcess> memory_;
};

// Types whose groups a map's contents do not show, or which hold entries by pointer.
const std::map<std::string, std::string> kTypes = {
    {"none", "map[int]int"},      {"few", "map[int]int"},
    {"ints", "map[int]int"},      {"texts", "map[string]string"},
    {"shared", "map[int]string"}, {"long", "map[int]string"},
    {"hinted", "map[int]int"},    {"wides", "map[main.wide]main.wide"},
    {"emptied", "map[int]int"},   {"growing", "map[int]int"},
};

TEST_P(AnatomyTest, SaysWhatTheProgramSaysOfItsMaps) {
  EXPECT_EQ(maps().size(), kTypes.size());
  for (const auto &[name, truth] : maps()) {
    SCOPED_TRACE(name);
    auto layout = type(kTypes.at(name));
    ASSERT_TRUE(layout);
    auto anatomy = take(name, &*layout);
    ASSERT_TRUE(anatomy) << anatomy.error().message();
    EXPECT_EQ(anatomy->map.len, truth.number("len"));
    EXPECT_EQ(anatomy->map.slots, truth.number("slots"));
    EXPECT_EQ(parts_of(*anatomy), truth.fields.at("parts"));
    // The first ones only, where they are many.
    EXPECT_TRUE(truth.fields.at("tables").starts_with(tables_of(*anatomy)));
    EXPECT_EQ(anatomy->table_count, truth.number("table_count"));
    EXPECT_EQ(fmt::format("{}", fmt::join(anatomy->fill, ",")), truth.fields.at("fill"));
    EXPECT_EQ(chains_of(*anatomy), truth.fields.at("chains"));
    EXPECT_EQ(anatomy->map.old_buckets, truth.number("old"));
    EXPECT_EQ(anatomy->map.evacuated_buckets, truth.number("evacuated"));
    EXPECT_EQ(anatomy->heap_pages, truth.number("heap"));
    EXPECT_EQ(anatomy->kernel_pages, truth.number("kernel"));
    // The program can't tell a page that the runtime has only read, which takes no memory, from
    // one that it wrote. Next to the last spare bucket in use there may be one. And between its
    // look and ours, something else may have come to lie in a page that it shares with the map.
    ASSERT_TRUE(anatomy->resident_pages);
    EXPECT_LE(*anatomy->resident_pages, truth.number("resident") + 1);
    EXPECT_GE(*anatomy->resident_pages + 1, truth.number("resident"));
    EXPECT_GE(anatomy->map.bytes.total(), anatomy->map.resident_bytes);
    EXPECT_LE(anatomy->map.bytes.total(),
              anatomy->map.resident_bytes +
                  (*anatomy->kernel_pages - *anatomy->resident_pages) * 4096);
  }
}

TEST_P(AnatomyTest, MeasuresWhatStringsTake) {
  for (const char *name : {"texts", "shared", "long", "ints", "wides"}) {
    SCOPED_TRACE(name);
    auto layout = type(kTypes.at(name));
    ASSERT_TRUE(layout);
    auto exact = take(name, &*layout, {.payload = true, .payload_entries_max = 100'000});
    ASSERT_TRUE(exact) << exact.error().message();
    ASSERT_TRUE(exact->payload) << exact->no_payload;
    EXPECT_EQ(exact->payload->entry_count, exact->map.len);
    EXPECT_EQ(exact->payload->sampled_count, exact->map.len);
    EXPECT_EQ(exact->payload->bytes, maps().at(name).number("payload"));
    EXPECT_FALSE(exact->payload->error_bytes);
  }
}

// Two standard errors hold in nineteen of twenty samples; this one is the same in each run but for
// the order that a map's seed gives its entries, so three are allowed.
TEST_P(AnatomyTest, EstimatesFromASample) {
  for (const char *name : {"shared", "long"}) {
    SCOPED_TRACE(name);
    auto layout = type(kTypes.at(name));
    ASSERT_TRUE(layout);
    auto sampled = take(name, &*layout, {.payload = true, .payload_entries_max = 1000});
    ASSERT_TRUE(sampled) << sampled.error().message();
    ASSERT_TRUE(sampled->payload) << sampled->no_payload;
    EXPECT_EQ(sampled->payload->entry_count, sampled->map.len);
    EXPECT_EQ(sampled->payload->sampled_count, 1000u);
    ASSERT_TRUE(sampled->payload->error_bytes);
    auto bytes = static_cast<double>(sampled->payload->bytes);
    auto truth = static_cast<double>(maps().at(name).number("payload"));
    EXPECT_LE(std::abs(bytes - truth), 1.5 * static_cast<double>(*sampled->payload->error_bytes));
    EXPECT_LT(static_cast<double>(*sampled->payload->error_bytes), 0.1 * truth);
  }
}

TEST_P(AnatomyTest, SaysWhyThereIsNoPayload) {
  auto anatomy = take("texts", nullptr, {.payload = true});
  ASSERT_TRUE(anatomy) << anatomy.error().message();
  EXPECT_FALSE(anatomy->payload);
  EXPECT_NE(anatomy->no_payload, "");
}

TEST_P(AnatomyTest, FindsNoMapWhereNoneIs) {
  std::uint64_t header = maps().at("texts").address;
  for (std::uint64_t address : {header + 8, header - 4096, std::uint64_t{4096}}) {
    auto anatomy = take_apart(memory(), program().anchors, program().facts, {address}, nullptr);
    ASSERT_FALSE(anatomy) << std::hex << address;
    EXPECT_EQ(anatomy.error().code(), Errc::not_found) << anatomy.error().message();
  }
}

INSTANTIATE_TEST_SUITE_P(Releases, AnatomyTest, ::testing::ValuesIn(kGoReleases),
                         [](const auto &parameter) {
                           std::string name = "Go" + parameter.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
