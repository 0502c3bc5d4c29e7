// Samples as lines of JSON: what is written comes back, and what is wrong is refused by its name.
#include "wire/samples_json.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr std::string_view kHead = R"({"schema":"mapscope.samples/1","input":)";

std::string error_of(std::string_view rest, const SampleLimits &limits = {}) {
  auto input = sample_from_line(std::string{kHead} + std::string{rest}, limits);
  return input ? "accepted" : input.error().message();
}

CensusSample whole_census() {
  CensusSample sample{.time_ns = 1'000'000'007,
                      .process = {12, 34},
                      .map_count = 3,
                      .map_entries = 4,
                      .map_bytes = UINT64_MAX,
                      .map_reclaimable_bytes = 6,
                      .map_reclaimable_unknown = 7,
                      .allocated_bytes = 0,
                      .allocated_by_maps_bytes = 8,
                      .maps_left_out = 9,
                      .maps_unsettled = {{0xc000020000}, {0xc000020030}},
                      .is_partial = true,
                      .is_unchanged = true};
  sample.heap.live_bytes = 10;
  sample.heap.gc_cycles = 0;
  sample.limits = {.resident_bytes = 11, .cgroup_limit_bytes = 12, .go_used_bytes = 13};
  sample.maps = {{.address = {0xc000010000},
                  .seed = UINT64_MAX,
                  .type = "map[string]int",
                  .owner = "main.cache",
                  .site = SourceFrame{"main.fill", "/src/main.go", 12, true},
                  .is_unreachable = true,
                  .len = 1,
                  .slots = 8,
                  .bytes = 256,
                  .reclaimable_bytes = 0,
                  .cause = MapCause::known_defect,
                  .explanation = "because",
                  .advice = "do"},
                 {}};
  return sample;
}

// Every field by its text: the structs have no comparison.
void expect_same(const RuleInput &input) {
  const std::string line = sample_to_line(input);
  EXPECT_EQ(line.find('\n'), line.npos);
  auto again = sample_from_line(line);
  ASSERT_TRUE(again) << again.error().message() << "\n" << line;
  EXPECT_EQ(again->index(), input.index());
  EXPECT_EQ(sample_to_line(*again), line);
}

TEST(SamplesJsonTest, EveryInputComesBack) {
  ProcessIdentity process{.key = {12, 34},
                          .exe = "/usr/bin/x",
                          .command_line = "x -y",
                          .uid = UINT32_MAX,
                          .user = "web",
                          .cgroup = {"/a", "0123", "uid", "x.service"}};
  expect_same(ProcessAppeared{1, process});
  expect_same(ProcessEnded{2, process.key});
  expect_same(whole_census());
  expect_same(RateSample{.time_ns = 3,
                         .process = process.key,
                         .watched_ns = 4,
                         .hits = 5,
                         .lost = 6,
                         .sites = {{.site = {"f", "g.go", 7, false},
                                    .type = "t",
                                    .growths = 8,
                                    .creations = 9,
                                    .growths_per_minute = 1.5,
                                    .creations_per_second = 1e9,
                                    .relative_error = 0.25,
                                    .slots_max = 16}}});
  expect_same(MisuseSample{.time_ns = 1,
                           .process = process.key,
                           .message = "concurrent map writes",
                           .is_fatal = true,
                           .goroutine = 7,
                           .others = {"a", "b"}});
  expect_same(VerifySample{.time_ns = 1,
                           .process = process.key,
                           .verdict = "violated",
                           .reasons = {"r"},
                           .operations = 2,
                           .duration_ns = 3,
                           .violations = {{.call = "write", .path = "/p", .count = 39}}});
}

BpfMapsSample whole_look() {
  BpfMapSample map;
  map.facts = {.id = 1,
               .name = "n",
               .type = "hash",
               .type_number = 1,
               .key_bytes = 4,
               .value_bytes = 8,
               .max_entries = 16,
               .flags = 1,
               .flag_names = {"BPF_F_NO_PREALLOC"},
               .extra = 2,
               .btf_id = 3,
               .key_type = "__u32",
               .value_type = "struct v",
               .is_frozen = false,
               .memory_bytes = 0,
               .memory_method = BpfMemoryMethod::accounted,
               .pinned_paths = {"/sys/fs/bpf/n"},
               .programs = {{.id = 5, .name = "p", .type = "xdp"}},
               .holders = {{.process = {.key = {6, 7}, .exe = "/x"}, .directly = true}},
               .owner = "x.service",
               .created_before_wall_ns = 8,
               .created_by_word = "w",
               .is_own = true,
               .problem = "q"};
  map.fill = {.entries = 0,
              .used_bytes = 9,
              .method = BpfMethod::sampled,
              .error = 10,
              .fill = 0.5,
              .note = "f"};
  map.rates = BpfMapRates{.window_ns = 11,
                          .system_lookups = {.exact = 0.0},
                          .program_lookups = {.estimate = 2, .lower = 1, .upper = 3, .note = "r"},
                          .insert_failures = {{"E2BIG", 12}},
                          .sees_program_failures = true,
                          .lost = 13};
  map.time_to_full = BpfTimeToFull{
      .seconds = 14, .lower = 13, .upper = 15, .entries_per_second = -16, .note = "t"};
  map.keys = BpfKeyDistribution{.of = "o",
                                .sampled = 17,
                                .distinct = 18,
                                .top = {{.key = "k", .count = 19}},
                                .prefixes = {{.key = "00", .count = 20}},
                                .entropy_bits = 1.5};
  map.key_file = "/keys";
  return {.time_ns = 21,
          .look = {.time_ns = 21,
                   .maps = {map, {}},
                   .cpu_ns = 22,
                   .vanished = 23,
                   .not_counted = 24,
                   .problems = {"p"}}};
}

TEST(SamplesJsonTest, LooksAtTheKernelsMapsComeBack) {
  expect_same(whole_look());
  auto read = sample_from_line(sample_to_line(whole_look()));
  ASSERT_TRUE(read);
  const BpfMapsLook &look = std::get<BpfMapsSample>(*read).look;
  ASSERT_EQ(look.maps.size(), 2u);
  EXPECT_EQ(look.maps[0].facts.is_frozen, false) << "known not to be";
  EXPECT_EQ(look.maps[0].fill.method, BpfMethod::sampled);
  EXPECT_EQ(look.maps[0].rates->insert_failures.at("E2BIG"), 12u);
  EXPECT_EQ(look.maps[0].time_to_full->entries_per_second, -16) << "it becomes less full";
  EXPECT_FALSE(look.maps[1].facts.is_frozen || look.maps[1].fill.fill || look.maps[1].rates);
  EXPECT_EQ(error_of(R"("bpf_maps","look":{"maps":[{"fill":{"method":"guessed"}}]}})"),
            "the field look.maps.fill.method is not what it should be");
}

TEST(SamplesJsonTest, TellsWhatItReads) {
  auto read = sample_from_line(sample_to_line(whole_census()));
  ASSERT_TRUE(read);
  const auto &sample = std::get<CensusSample>(*read);
  EXPECT_EQ(sample.map_bytes, UINT64_MAX);
  EXPECT_EQ(sample.allocated_bytes, 0u) << "known to be nothing, and not unknown";
  EXPECT_EQ(sample.heap.gc_cycles, 0u);
  EXPECT_FALSE(sample.heap.in_use_bytes || sample.limits.cgroup_bytes);
  ASSERT_EQ(sample.maps.size(), 2u);
  EXPECT_EQ(sample.maps[0].address.value, 0xc000010000);
  EXPECT_EQ(sample.maps[0].cause, MapCause::known_defect);
  EXPECT_EQ(sample.maps[0].reclaimable_bytes, 0u);
  EXPECT_EQ(sample.maps[0].site->line, 12u);
  EXPECT_FALSE(sample.maps[1].site || sample.maps[1].reclaimable_bytes);
}

TEST(SamplesJsonTest, RefusesWhatIsNoSample) {
  EXPECT_FALSE(sample_from_line(""));
  EXPECT_FALSE(sample_from_line("[]"));
  EXPECT_FALSE(sample_from_line("{"));
  EXPECT_FALSE(sample_from_line(R"({"input":"census"})"));
  EXPECT_FALSE(sample_from_line(R"({"schema":"mapscope.samples/2","input":"census"})"));
  EXPECT_NE(error_of(R"("sneeze"})").find("none of process_appeared"), std::string::npos);
  EXPECT_NE(error_of("7}").find("none of"), std::string::npos);
  EXPECT_FALSE(sample_from_line(std::string(100'000, '[')));
}

TEST(SamplesJsonTest, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(error_of(R"("census","time_ns":-1})"), "the field time_ns is not what it should be");
  EXPECT_EQ(error_of(R"("census","process":{"pid":4294967296}})"),
            "the field process.pid is not what it should be");
  EXPECT_EQ(error_of(R"("census","maps":[{"address":7}]})"),
            "the field maps.address is not what it should be");
  EXPECT_EQ(error_of(R"("census","maps":[{"address":"0xzz"}]})"),
            "the field maps.address is not what it should be");
  EXPECT_EQ(error_of(R"("census","maps":[{"cause":"magic"}]})"),
            "the field maps.cause is not what it should be");
  EXPECT_EQ(error_of(R"("rates","sites":[{"relative_error":-0.5}]})"),
            "the field sites.relative_error is not what it should be");
  EXPECT_EQ(error_of(R"("census","heap":{"live_bytes":null},"unheard_of":[1]})"), "accepted");
}

TEST(SamplesJsonTest, HasLimits) {
  EXPECT_EQ(error_of(R"("misuse","others":["a","b","c"]})", {.list_length = 2}),
            "the field others is not what it should be");
  EXPECT_EQ(error_of(R"("misuse","message":"abc"})", {.text_bytes = 2}),
            "the field message is not what it should be");
  EXPECT_NE(error_of(R"("census"})", {.line_bytes = 20}).find("20 are allowed"), std::string::npos);
}

TEST(SamplesJsonTest, MakesTextsPrintable) {
  MisuseSample misuse{.message = "a\x1b[2J\xff"};
  auto read = sample_from_line(sample_to_line(misuse));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<MisuseSample>(*read).message, "a?[2J?");
}

TEST(SamplesJsonTest, ReadsFilesLineByLine) {
  const std::string line = sample_to_line(ProcessEnded{2, {1, 2}});
  auto inputs = samples_from_text(line + "\n\n" + line);
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->size(), 2u);
  auto wrong = samples_from_text(line + "\n" + "oops\n");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "line 2: no JSON object");
  EXPECT_FALSE(samples_from_text(line + "\n" + line + "\n" + line, {.line_count = 2}));
}

} // namespace
} // namespace mapscope
