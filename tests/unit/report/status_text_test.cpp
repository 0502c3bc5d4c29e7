// What `mapscope status` makes of a daemon's documents, and of what is none.
#include "report/status_text.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr auto kStatus = R"({"schema":"mapscope.status/1","version":"1.2.3","up_seconds":11520.5,
  "ready":true,"health":null,"problems":["no execs are told: no BPF"],
  "config":{"reload_failed":true,"problem":"line 3: no such key"},
  "self":{"cpu_seconds":1.5,"resident_bytes":20971520},
  "processes":{"watched":1,"waiting":2,"refused":0},"findings":{"firing":1},"throttled":true,
  "censuses":{"count":4},
  "alerts":{"sinks":[{"name":"am","pending":3,"last_error":"connection refused"},
                     {"name":"file","pending":0,"last_error":null}]},
  "lost":{"exec_events":1200,"ring_full":0}})";
constexpr auto kProcesses = R"({"schema":"mapscope.processes/1","not_shown":7,"processes":[
  {"pid":1234,"exe":"/srv/app","go_version":"go1.26.8","interval_seconds":60.0,
   "census":{"age_seconds":12.5,"totals":{"maps":1700,"bytes":1048576,"reclaimable_bytes":1024}}},
  {"pid":1235,"exe":"/srv/new","go_version":"go1.99.0","interval_seconds":60.0,
   "census":{"age_seconds":1.5,"totals":{"maps":3,"bytes":2048,"reclaimable_bytes":null}}},
  {"pid":99,"exe":"/srv/odd\u001b[2J","census":null,"problem":"its memory can't be read"}]})";
constexpr auto kFindings = R"({"schema":"mapscope.findings/1","findings":[
  {"state":"firing","severity":"warning","rule":"waste","silenced":false,
   "process":{"pid":1234,"exe":"/srv/app"},"summary":"A map wastes 1 MiB.","cause":"It was emptied.",
   "fix":"Make it anew.","since":"2026-11-22T02:00:00.000Z"},
  {"state":"resolved","severity":"info","rule":"growth","process":{"pid":1,"exe":"/x"},
   "summary":"It grew.","resolved":"2026-11-22T03:00:00.000Z","resolution":"It shrank."}]})";

std::string text(StatusTextOptions options = {}) {
  const auto result = status_text({kStatus, kProcesses, kFindings}, options);
  EXPECT_TRUE(result) << result.error().message();
  return result.value_or("");
}

void expect_has(const std::string &text, std::string_view part) {
  EXPECT_NE(text.find(part), text.npos) << part << " is not in:\n" << text;
}

TEST(StatusTextTest, SaysWhatIsWatchedAndWhatFires) {
  const std::string shown = text();
  expect_has(shown, "mapscope 1.2.3, up for 3 h 12 min: well\n");
  expect_has(shown, "It watches 1 process; waiting for a first census: 2;");
  expect_has(shown, "for 4 censuses.\n");
  expect_has(shown, "1234  app                       1.26.8           1,700    1.00 MiB");
  expect_has(shown,
             "1235  new                       1.99.0               3    2.00 KiB            -");
  expect_has(shown, "its memory can't be read");
  expect_has(shown, "and 7 more");
  expect_has(shown,
             "One finding fires:\nwarning  waste: app (process 1234)\n    A map wastes 1 MiB.\n");
  EXPECT_EQ(shown.find("It shrank"), shown.npos);
  EXPECT_EQ(shown.find("Make it anew"), shown.npos);
}

TEST(StatusTextTest, NamesAMapOfTheKernelAndNoProcess) {
  const auto shown = status_text(
      {kStatus, kProcesses,
       R"({"schema":"mapscope.findings/1","findings":[{"state":"firing","severity":"info",
         "rule":"bpf-fill","process":null,"bpf_map":{"id":412,"name":"flow_table"},
         "summary":"It is full."}]})"},
      {});
  ASSERT_TRUE(shown);
  expect_has(*shown, "info  bpf-fill: flow_table (BPF map 412)\n    It is full.\n");
}

TEST(StatusTextTest, SaysWhatIsNotAsItShouldBe) {
  const std::string shown = text();
  expect_has(shown, "! no execs are told: no BPF\n");
  expect_has(shown, "! the last reload of the configuration failed: line 3: no such key\n");
  expect_has(shown, "! it looks less often than it should");
  expect_has(shown, "! 3 alerts wait for am: connection refused\n");
  expect_has(shown, "! lost: 1,200 exec_events\n");
  EXPECT_EQ(shown.find("ring_full"), shown.npos);
}

TEST(StatusTextTest, TellsAllOfFindingsWhenAsked) {
  const std::string shown = text({.all_findings = true});
  expect_has(shown, "It was emptied.");
  expect_has(shown, "Make it anew.");
  expect_has(shown, "over since 2026-11-22T03:00:00.000Z. It shrank.");
}

TEST(StatusTextTest, StopsNoTerminalWithNamesOfProcesses) {
  EXPECT_EQ(text().find('\x1b'), std::string::npos);
  EXPECT_NE(text({.colour = true}).find('\x1b'), std::string::npos);
}

TEST(StatusTextTest, CountsWhatFires) {
  EXPECT_EQ(firing_findings(kStatus), 1u);
  EXPECT_FALSE(firing_findings("{}"));
  EXPECT_FALSE(firing_findings("garbage"));
}

TEST(StatusTextTest, TakesNoOtherDocuments) {
  for (std::string other :
       {"", "[]", "{}", "null", R"({"schema":"mapscope.maps/1"})", R"({"schema":7})"}) {
    EXPECT_FALSE(status_text({other, kProcesses, kFindings}, {})) << other;
    EXPECT_FALSE(status_text({kStatus, other, kFindings}, {})) << other;
    EXPECT_FALSE(status_text({kStatus, kProcesses, other}, {})) << other;
  }
}

TEST(StatusTextTest, SurvivesKeysOfOtherTypes) {
  const auto shown = status_text(
      {R"({"schema":"mapscope.status/1","version":[],"up_seconds":"x","ready":3,"health":{},
           "problems":{"a":1},"config":[],"self":null,"processes":-1,"alerts":{"sinks":[1,null]},
           "lost":{"a":-1,"b":"x"}})",
       R"({"schema":"mapscope.processes/1","processes":[1,null,{"pid":-1,"exe":{},"census":[]},
           {"census":{"age_seconds":-1e300,"totals":7}}]})",
       R"({"schema":"mapscope.findings/1","findings":[1,{"state":"firing"},{"state":[]}]})"},
      {.all_findings = true});
  EXPECT_TRUE(shown);
}

} // namespace
} // namespace mapscope
