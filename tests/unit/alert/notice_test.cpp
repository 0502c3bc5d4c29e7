// Alerts as documents: what receivers read, and that the database gives back what it was given.
#include "alert/notice.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/alert/alert_samples.h"

namespace mapscope {
namespace {

using nlohmann::json;

AlertNotice sample_notice(bool is_firing = true) {
  AlertNotice notice{.alert = {.finding = sample_finding(5, is_firing),
                               .host = "here",
                               .since_wall_ns = 1'700'000'000'123'456'789,
                               .updated_wall_ns = 1'700'000'060'000'000'000}};
  if (!is_firing)
    notice.alert.resolved_wall_ns = notice.alert.updated_wall_ns;
  notice.labels = alert_labels(notice.alert.finding, "here", {});
  return notice;
}

TEST(NoticeTest, IsReadBackAsItWas) {
  for (bool is_firing : {true, false}) {
    AlertNotice notice = sample_notice(is_firing);
    notice.is_update = is_firing;
    notice.alert.is_silenced = true;
    notice.alert.finding.process.cgroup.pod_uid = "12-34";
    auto back = parse_notice(stored_text(notice));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(stored_text(*back), stored_text(notice));
    EXPECT_EQ(back->alert.finding.process, notice.alert.finding.process);
    EXPECT_EQ(back->alert.finding.since_ns, notice.alert.finding.since_ns);
    EXPECT_EQ(back->alert.finding.labels, notice.alert.finding.labels);
    EXPECT_EQ(back->alert.since_wall_ns, notice.alert.since_wall_ns);
    EXPECT_EQ(back->alert.finding.numbers, notice.alert.finding.numbers);
  }
}

// The kernel's maps are of no process, and it must not look as if they were of one without a name.
TEST(NoticeTest, AMapOfTheKernelStandsWhereAProcessWould) {
  AlertNotice notice = sample_notice();
  Finding &finding = notice.alert.finding;
  finding.process = {};
  finding.bpf_map = {.id = 412, .name = "flow_table", .method = "walked", .key_file = "/k/1.keys"};
  notice.labels = alert_labels(finding, "here", {});
  EXPECT_EQ(notice.labels.at("bpf_map"), "flow_table");
  EXPECT_EQ(notice.labels.at("bpf_map_id"), "412");
  EXPECT_FALSE(notice.labels.contains("pid") || notice.labels.contains("process"));
  auto back = parse_notice(stored_text(notice));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->alert.finding.bpf_map, finding.bpf_map);
  EXPECT_EQ(back->alert.finding.process, ProcessIdentity{});
  EXPECT_EQ(stored_text(*back), stored_text(notice));
  const auto alert = json::parse(alerts_document("here", {&notice, 1}))["alerts"][0];
  EXPECT_TRUE(alert["process"].is_null());
  EXPECT_EQ(alert["bpf_map"]["key_file"], "/k/1.keys");
  const auto body = json::parse(alertmanager_body({&notice, 1}, 1, 2));
  EXPECT_EQ(body.dump().find("pid"), std::string::npos) << body;
}

TEST(NoticeTest, DamagedTextIsAnError) {
  const std::string text = stored_text(sample_notice());
  for (std::size_t size = 0; size < text.size(); size += 7)
    EXPECT_FALSE(parse_notice(std::string_view(text).substr(0, size))) << size;
  for (const char *wrong : {"null", "[]", "{}", "{\"fingerprint\":5}"})
    EXPECT_FALSE(parse_notice(wrong)) << wrong;
}

TEST(NoticeTest, NothingInItBreaksADocument) {
  AlertNotice notice = sample_notice();
  notice.alert.finding.process.exe = "/bin/\xff\n\"x";
  notice.alert.finding.numbers["rate"] = NAN;
  auto document = json::parse(alerts_document("here", {&notice, 1}));
  EXPECT_EQ(document["schema"], "mapscope.alerts/1");
  EXPECT_TRUE(document["alerts"][0]["numbers"]["rate"].is_null());
  EXPECT_TRUE(parse_notice(stored_text(notice)));
  EXPECT_FALSE(json::parse(alertmanager_body({&notice, 1}, 1, 2)).empty());
}

TEST(NoticeTest, WhatIsNotKnownIsNull) {
  AlertNotice notice = sample_notice();
  notice.alert.finding.owner = "";
  const auto alert = json::parse(alerts_document("here", {&notice, 1}))["alerts"][0];
  EXPECT_TRUE(alert["owner"].is_null());
  EXPECT_TRUE(alert["resolved"].is_null());
  EXPECT_TRUE(alert["process"]["container_id"].is_null());
  EXPECT_EQ(alert["state"], "firing");
  EXPECT_EQ(alert["since"], "2023-11-14T22:13:20.123456789Z");
  EXPECT_FALSE(alert.contains("stored"));
}

TEST(NoticeTest, NumbersThatDoNotFitAreRefused) {
  const auto text = json::parse(stored_text(sample_notice()));
  for (const json &number : {json(1e50), json(-1), json(1.5), json(1ULL << 32), json("1")}) {
    auto wrong = text;
    wrong["process"]["pid"] = number;
    EXPECT_FALSE(parse_notice(wrong.dump())) << number;
  }
  auto wrong = text;
  wrong["stored"]["since_ns"] = -1;
  EXPECT_FALSE(parse_notice(wrong.dump()));
}

TEST(NoticeTest, LabelsAreFitForAlertmanagerAndWhatItIsAboutGoesFirst) {
  Finding finding = sample_finding();
  finding.labels = {{"severity", "page"}, {"9 lives", "x"}, {"pid", "1"}, {"empty", ""}};
  finding.site = std::string(5000, 'a') + "é";
  const auto labels = alert_labels(finding, "here", {{"zone", "a"}, {"alertname", "mine"}});
  EXPECT_EQ(labels.at("alertname"), "waste");
  EXPECT_EQ(labels.at("severity"), "page");
  EXPECT_EQ(labels.at("_9_lives"), "x");
  EXPECT_EQ(labels.at("pid"), "42");
  EXPECT_EQ(labels.at("zone"), "a");
  EXPECT_EQ(labels.at("process"), "served");
  EXPECT_EQ(labels.at("site").size(), 1024U);
  EXPECT_FALSE(labels.contains("empty"));
  EXPECT_FALSE(labels.contains("container"));
}

TEST(NoticeTest, AlertmanagerIsGivenAnEndItTakes) {
  const AlertNotice over = sample_notice(false);
  const std::uint64_t before =
      over.alert.since_wall_ns - 1'000'000'000; // a clock that was set back
  const auto alert = json::parse(alertmanager_body({&over, 1}, before, before + 1)).at(0);
  EXPECT_EQ(alert["endsAt"], rfc3339(before));
  EXPECT_EQ(alert["startsAt"], rfc3339(before));
  EXPECT_EQ(alert["annotations"]["numbers"], "bytes 64.0 MiB, threshold 0.5");
}

} // namespace
} // namespace mapscope
