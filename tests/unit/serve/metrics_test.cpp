// Metrics as others read them: both formats by their rules, rows within their bounds, and the
// documents, alerting rules and dashboard that name them.
#include "serve/metrics.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "serve/metrics_writer.h"
#include "support/file_content.h"
#include "unit/serve/fake_daemon.h"

namespace mapscope {
namespace {

// Everything that can have a row has one.
void fill(FakeDaemon &daemon) {
  daemon.watched = {made_up_process(1, 3000), made_up_process(2, 2000)};
  daemon.raised = {made_up_alert(), made_up_alert(), made_up_alert("old", 1)};
  BpfMapsLook look{.maps = {made_up_kernel_map(7)}};
  BpfMapSample ring = made_up_kernel_map(8, 8192);
  ring.facts.type = "ringbuf";
  ring.fill = {.used_bytes = 500, .method = BpfMethod::counted, .fill = 0.5};
  look.maps.push_back(std::move(ring));
  daemon.kernel_maps = std::make_shared<const BpfMapsLook>(std::move(look));
}

std::string text_of(const FakeDaemon &daemon, const ServeConfig &config = {},
                    MetricsFormat format = MetricsFormat::prometheus) {
  return metrics_text(daemon, config, format);
}

std::vector<std::string> lines_of(const std::string &text) {
  std::istringstream stream{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

// Samples of one name: labels in braces (empty: none) and the value as it is written.
std::map<std::string, std::string> samples_of(const std::string &text, const std::string &name) {
  std::map<std::string, std::string> samples;
  for (const std::string &line : lines_of(text)) {
    const std::size_t value = line.rfind(' ');
    if (line.starts_with(name + "{") || line.starts_with(name + " ")) {
      const auto [at, is_new] =
          samples.emplace(line.substr(name.size(), value - name.size()), line.substr(value + 1));
      EXPECT_TRUE(is_new) << "twice: " << line;
    }
  }
  return samples;
}

TEST(MetricsTest, TellOfEachProcess) {
  FakeDaemon daemon;
  fill(daemon);
  const std::string text = text_of(daemon);
  const std::string labels = R"({pid="1",process="app",container="",pod="",unit="app.service",)"
                             R"(go_version="go1.26.8"})";
  EXPECT_EQ(samples_of(text, "mapscope_process_map_bytes").at(labels), "3000");
  EXPECT_EQ(samples_of(text, "mapscope_process_heap_live_bytes").at(labels), "12000");
  EXPECT_EQ(samples_of(text, "mapscope_process_map_share_ratio").at(labels), "0.25");
  EXPECT_EQ(samples_of(text, "mapscope_process_gc_cycles_total").at(labels), "12");
  EXPECT_EQ(samples_of(text, "mapscope_process_census_cpu_seconds_total").at(labels), "0.005");
}

TEST(MetricsTest, TellOfTheLargestMapsAndAddUpTheRest) {
  FakeDaemon daemon;
  fill(daemon);
  const auto bytes = samples_of(text_of(daemon), "mapscope_map_bytes");
  EXPECT_EQ(bytes.at(R"({pid="1",process="app",type="map[string]int",owner="main.cache",)"
                     R"(site="main.fill main.go:12"})"),
            "1500");
  EXPECT_EQ(bytes.at(R"({pid="1",process="app",type="other",owner="other",site="other"})"), "1500");
  EXPECT_EQ(samples_of(text_of(daemon), "mapscope_map_slots").size(), 2u)
      << "nobody knows the slots of the rest";
}

TEST(MetricsTest, WhatIsNotKnownHasNoRow) {
  FakeDaemon daemon;
  daemon.watched = {made_up_process(1)};
  auto census = std::make_shared<CensusSample>(*daemon.watched[0].census);
  census->heap = {};
  census->maps[0].reclaimable_bytes.reset();
  daemon.watched[0].census = census;
  daemon.watched.push_back({.process = {.key = {2, 1}, .exe = "/srv/waiting"}});
  const std::string text = text_of(daemon);
  EXPECT_TRUE(samples_of(text, "mapscope_process_heap_live_bytes").empty());
  EXPECT_TRUE(samples_of(text, "mapscope_process_map_share_ratio").empty());
  EXPECT_EQ(samples_of(text, "mapscope_process_maps").size(), 1u);
  EXPECT_EQ(samples_of(text, "mapscope_map_reclaimable_bytes").size(), 1u) << "of the rest";
  EXPECT_EQ(samples_of(text, "mapscope_process_map_reclaimable_bytes").size(), 1u);
  EXPECT_EQ(samples_of(text, "mapscope_processes").at(R"({state="waiting"})"), "1");

  census->map_reclaimable_unknown = census->map_count;
  const std::string none = text_of(daemon);
  EXPECT_TRUE(samples_of(none, "mapscope_process_map_reclaimable_bytes").empty());
  EXPECT_TRUE(samples_of(none, "mapscope_map_reclaimable_bytes").empty());
}

TEST(MetricsTest, RowsAreBounded) {
  FakeDaemon daemon;
  for (std::uint32_t pid = 1; pid <= 50; ++pid) {
    daemon.watched.push_back(made_up_process(pid, 1000 * pid));
    auto census = std::make_shared<CensusSample>(*daemon.watched.back().census);
    census->maps.clear();
    for (std::uint64_t i = 0; i < 100; ++i)
      census->maps.push_back({.type = fmt::format("map[int]T{}", i), .bytes = 10 + i});
    daemon.watched.back().census = census;
  }
  const std::string text = text_of(daemon, {.metric_maps_max = 3, .metric_processes_max = 10});
  const auto processes = samples_of(text, "mapscope_process_map_bytes");
  EXPECT_EQ(processes.size(), 11u);
  EXPECT_EQ(samples_of(text, "mapscope_map_bytes").size(), 10u * 4);
  EXPECT_EQ(samples_of(text, "mapscope_process_gc_cycles_total").size(), 10u)
      << "counters of others would fall";
  // 1 + ... + 40 thousand: the smallest are the rest.
  EXPECT_EQ(processes.at(R"({pid="",process="other",container="",pod="",unit="",go_version=""})"),
            "820000");
}

TEST(MetricsTest, MapsWithTheSameLabelsAreOneRow) {
  FakeDaemon daemon;
  daemon.watched = {made_up_process(1, 1000)};
  auto census = std::make_shared<CensusSample>(*daemon.watched[0].census);
  census->maps.push_back(census->maps[0]);
  census->maps.back().address.value += 0x100;
  daemon.watched[0].census = census;
  const auto counts = samples_of(text_of(daemon), "mapscope_map_instances");
  EXPECT_EQ(counts.at(R"({pid="1",process="app",type="map[string]int",owner="main.cache",)"
                      R"(site="main.fill main.go:12"})"),
            "2");
}

TEST(MetricsTest, APidThatIsUsedAgainMakesNoRowTwice) {
  FakeDaemon daemon;
  daemon.watched = {made_up_process(1, 3000), made_up_process(1, 2000)};
  daemon.watched[1].process.key.start_time_ns = 2;
  EXPECT_EQ(samples_of(text_of(daemon), "mapscope_process_map_bytes").size(), 2u);
  EXPECT_EQ(samples_of(text_of(daemon), "mapscope_process_censuses_total").size(), 1u);
}

TEST(MetricsTest, LabelsAreFitForAnyReader) {
  EXPECT_EQ(label_value("plain"), "plain");
  EXPECT_EQ(label_value("a\nb\x01"), "a?b?");
  EXPECT_EQ(label_value("\xff\xfe"), "??");
  const std::string cut = label_value(std::string(1000, 'x'));
  EXPECT_EQ(cut.size(), 200u);
  EXPECT_TRUE(cut.ends_with("x…"));
  std::string umlauts;
  while (umlauts.size() < 1000)
    umlauts += "ü";
  EXPECT_TRUE(label_value(umlauts).ends_with("ü…"));
  EXPECT_LE(label_value(umlauts).size(), 200u);
  EXPECT_EQ(label_value(std::string(200, 'x')), std::string(200, 'x'));

  FakeDaemon daemon;
  daemon.watched = {made_up_process(1)};
  daemon.watched[0].process.exe = "/srv/a\"b\\c\n# TYPE x counter";
  const std::string text = text_of(daemon);
  EXPECT_NE(text.find(R"(process="a\"b\\c?# TYPE x counter")"), text.npos) << text;
}

TEST(MetricsTest, AnIdleDaemonHasNoRowsOfProcesses) {
  FakeDaemon daemon;
  const std::string text = text_of(daemon);
  EXPECT_EQ(text.find("mapscope_process_"), text.npos);
  EXPECT_EQ(text.find("mapscope_map_"), text.npos);
  EXPECT_EQ(samples_of(text, "mapscope_ready").at(""), "1");
}

TEST(MetricsTest, TellOfTheKernelsMapsAndHowThatIsKnown) {
  FakeDaemon daemon;
  fill(daemon);
  const std::string text = text_of(daemon);
  const std::string labels = R"(id="7",name="flow_table",type="hash",owner="flowd.service")";
  EXPECT_EQ(samples_of(text, "mapscope_bpf_map_entries").at("{" + labels + R"(,method="counted"})"),
            "250");
  EXPECT_EQ(samples_of(text, "mapscope_bpf_map_max_entries").at("{" + labels + "}"), "1000");
  EXPECT_EQ(samples_of(text, "mapscope_bpf_map_memory_bytes")
                .at("{" + labels + R"(,method="accounted"})"),
            "4096");
  const auto lookups = samples_of(text, "mapscope_bpf_map_lookups_per_second_estimate");
  EXPECT_EQ(lookups.at("{" + labels + R"(,side="system_calls",method="counted"})"), "40");
  EXPECT_EQ(lookups.at("{" + labels + R"(,side="programs",method="estimated"})"), "500");
  const auto lower = samples_of(text, "mapscope_bpf_map_lookups_per_second_lower");
  EXPECT_EQ(lower.at("{" + labels + R"(,side="programs",method="estimated"})"), "300");
}

TEST(MetricsTest, RowsOfTheKernelsMapsAreBoundedAndTheRestIsAddedUp) {
  FakeDaemon daemon;
  BpfMapsLook look;
  for (std::uint32_t id = 1; id <= 50; ++id)
    look.maps.push_back(made_up_kernel_map(id, 1000 * id));
  look.maps[0].fill = {.entries = 990, .method = BpfMethod::walked, .fill = 0.99};
  look.maps[1].fill = {};
  look.maps[2].facts.memory_method = BpfMemoryMethod::arithmetic;
  daemon.kernel_maps = std::make_shared<const BpfMapsLook>(std::move(look));
  const std::string text = text_of(daemon, {.metric_maps_max = 1});
  const auto entries = samples_of(text, "mapscope_bpf_map_entries");
  ASSERT_EQ(entries.size(), 3U) << "the largest, the fullest, and the others";
  EXPECT_EQ(entries.at(R"({id="",name="other",type="other",owner="other",method="other"})"),
            std::to_string(47 * 250));
  EXPECT_EQ(samples_of(text, "mapscope_bpf_maps").at(""), "50");
  EXPECT_EQ(samples_of(text, "mapscope_bpf_maps_memory_bytes").at(""),
            std::to_string(1000 * 50 * 51 / 2 - 3000))
      << "of one it is not known";
}

TEST(MetricsTest, FiringFindingsAreCountedByRule) {
  FakeDaemon daemon;
  fill(daemon);
  const auto firing = samples_of(text_of(daemon), "mapscope_findings_firing");
  EXPECT_EQ(firing.size(), 1u);
  EXPECT_EQ(firing.at(R"({rule="map-waste",severity="warning"})"), "2");
}

// --- the formats ---

const std::regex kSample{
    R"re(([a-z_]+)(\{[a-z_]+="([^"\\\n]|\\["\\n])*"(,[a-z_]+="([^"\\\n]|\\["\\n])*")*\})? [-+.e0-9]+)re"};

struct Family {
  std::string type, unit;
  bool has_help = false;
};

// By the name that the heads give; order and form of lines are checked on the way.
std::map<std::string, Family> families_of(const std::string &text, MetricsFormat format) {
  const bool is_open = format == MetricsFormat::open_metrics;
  std::map<std::string, Family> families;
  std::string current;
  std::vector<std::string> lines = lines_of(text);
  if (is_open) {
    EXPECT_EQ(lines.back(), "# EOF");
    lines.pop_back();
  }
  for (const std::string &line : lines) {
    std::istringstream words{line};
    std::string mark, keyword, name, value;
    if (words >> mark >> keyword >> name >> value && mark == "#") {
      Family &family = families[name];
      EXPECT_TRUE(name == current || (family.type.empty() && !family.has_help))
          << "twice: " << line;
      current = name;
      (keyword == "TYPE" ? family.type : keyword == "UNIT" ? family.unit : value) = value;
      family.has_help |= keyword == "HELP";
      continue;
    }
    std::smatch match;
    if (!std::regex_match(line, match, kSample)) {
      ADD_FAILURE() << "no sample: " << line;
      continue;
    }
    const std::string &type = families[current].type;
    const std::string suffix = !is_open || type == "gauge" ? ""
                               : type == "counter"         ? "_total"
                                                           : "_info";
    EXPECT_EQ(match[1].str(), current + suffix) << line;
  }
  return families;
}

TEST(MetricsTest, ArePrometheusText) {
  FakeDaemon daemon;
  fill(daemon);
  const auto families = families_of(text_of(daemon), MetricsFormat::prometheus);
  EXPECT_GT(families.size(), 40u);
  for (const auto &[name, family] : families) {
    EXPECT_TRUE(family.has_help) << name;
    EXPECT_EQ(family.type, name.ends_with("_total") ? "counter" : "gauge") << name;
    EXPECT_TRUE(name.starts_with("mapscope_") || name.starts_with("process_")) << name;
  }
}

TEST(MetricsTest, AreOpenMetrics) {
  FakeDaemon daemon;
  fill(daemon);
  const auto families =
      families_of(text_of(daemon, {}, MetricsFormat::open_metrics), MetricsFormat::open_metrics);
  EXPECT_EQ(families.size(), families_of(text_of(daemon), MetricsFormat::prometheus).size());
  for (const auto &[name, family] : families) {
    EXPECT_TRUE(family.has_help && !family.type.empty()) << name;
    EXPECT_FALSE(name.ends_with("_total") || name.ends_with("_info")) << name;
    EXPECT_TRUE(family.unit.empty() || name.ends_with("_" + family.unit)) << name;
    for (std::string unit : {"bytes", "seconds", "ratio"})
      EXPECT_EQ(name.ends_with("_" + unit), family.unit == unit) << name;
  }
  EXPECT_EQ(families.at("mapscope_build").type, "info");
  EXPECT_EQ(families.at("mapscope_census_cpu_seconds").type, "counter");
}

// --- who names them ---

std::string file(const std::string &path) {
  std::string text = testing::file_text(std::string{MAPSCOPE_SOURCE_DIR} + "/" + path);
  EXPECT_FALSE(text.empty()) << path;
  return text;
}

std::set<std::string> names_in(const std::string &text, const std::regex &pattern) {
  std::set<std::string> names;
  for (std::sregex_iterator at{text.begin(), text.end(), pattern}, end; at != end; ++at)
    names.insert((*at)[1].str());
  return names;
}

std::set<std::string> existing_names() {
  FakeDaemon daemon;
  fill(daemon);
  std::set<std::string> names;
  for (const auto &[name, family] : families_of(text_of(daemon), MetricsFormat::prometheus))
    names.insert(name);
  return names;
}

TEST(MetricsDocumentTest, TellsOfEachFamilyAndOfNoOther) {
  const auto documented =
      names_in(file("docs/metrics.md"), std::regex{R"(\n\| `((?:mapscope|process)_[a-z_]+)[`{])"});
  EXPECT_EQ(documented, existing_names());
}

TEST(MetricsDocumentTest, RulesAndDashboardNameWhatExists) {
  const std::set<std::string> existing = existing_names();
  const std::regex pattern{R"(\b((?:mapscope|process)_[a-z_]+)\b)"};
  for (auto path : {"packaging/prometheus/mapscope.rules.yml", "packaging/grafana/mapscope.json"}) {
    const std::set<std::string> used = names_in(file(path), pattern);
    EXPECT_GT(used.size(), 5u) << path;
    for (const std::string &name : used)
      EXPECT_TRUE(existing.contains(name)) << path << " names " << name;
  }
}

} // namespace
} // namespace mapscope
