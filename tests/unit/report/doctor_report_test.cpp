// What `doctor` shows: an answer for each feature, and which commands can run with them.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/doctor_report.h"

namespace mapscope {
namespace {

Feature feature(std::string name, Availability availability,
                std::vector<std::string> needed_by = {}) {
  return {.name = std::move(name),
          .availability = availability,
          .answer = "an answer",
          .used_for = "a purpose",
          .without = "a loss",
          .capabilities = {"CAP_BPF", "CAP_PERFMON"},
          .needed_by = std::move(needed_by)};
}

DoctorReport report(std::vector<Feature> features) {
  return {.kernel = "Linux 6.1 x86_64",
          .commands = {"verify", "inspect"},
          .features = std::move(features)};
}

TEST(DoctorTextTest, SaysOfEachFeatureWhatWasAnsweredAndWhatItIsFor) {
  const std::string text = doctor_text(report({feature("uprobe", Availability::yes)}), false);
  EXPECT_NE(text.find("yes     uprobe  an answer\n"), text.npos) << text;
  EXPECT_NE(text.find("For a purpose; without it, a loss. Needs CAP_BPF and CAP_PERFMON.\n"),
            text.npos)
      << text;
}

TEST(DoctorTextTest, NamesWhatACommandLacks) {
  const std::string text = doctor_text(report({feature("uprobe", Availability::no, {"verify"}),
                                               feature("BTF", Availability::denied, {"verify"}),
                                               feature("kprobe", Availability::no)}),
                                       false);
  EXPECT_NE(text.find("verify cannot run: it needs uprobe, BTF\n"), text.npos) << text;
  EXPECT_NE(text.find("inspect can run\n"), text.npos) << text;
}

TEST(DoctorTextTest, SaysWhyAFeatureIsNotUsed) {
  Feature unused = feature("kprobe", Availability::no);
  unused.used_for.clear();
  unused.without = "tracepoints do";
  const std::string text = doctor_text(report({unused}), false);
  EXPECT_NE(text.find("Not used: tracepoints do.\n"), text.npos) << text;
}

TEST(DoctorTextTest, ColoursOnlyWhenAsked) {
  const DoctorReport one = report({feature("uprobe", Availability::yes)});
  EXPECT_EQ(doctor_text(one, false).find('\x1b'), std::string::npos);
  EXPECT_NE(doctor_text(one, true).find('\x1b'), std::string::npos);
}

TEST(DoctorJsonTest, HoldsTheContract) {
  const auto document = nlohmann::json::parse(
      doctor_json(report({feature("uprobe", Availability::denied, {"verify"})})));
  EXPECT_EQ(document["schema"], "mapscope.doctor/1");
  EXPECT_EQ(document["kernel"], "Linux 6.1 x86_64");
  const auto &verify = document["commands"][0];
  EXPECT_EQ(verify["name"], "verify");
  EXPECT_EQ(verify["can_run"], false);
  EXPECT_EQ(verify["missing"], nlohmann::json::array({"uprobe"}));
  EXPECT_EQ(document["commands"][1]["can_run"], true);
  const auto &uprobe = document["features"][0];
  EXPECT_EQ(uprobe["available"], "denied");
  EXPECT_EQ(uprobe["answer"], "an answer");
  EXPECT_EQ(uprobe["capabilities"], nlohmann::json::array({"CAP_BPF", "CAP_PERFMON"}));
}

TEST(DoctorJsonTest, WhatIsNotUsedIsForNothing) {
  Feature unused = feature("kprobe", Availability::no);
  unused.used_for.clear();
  const auto document = nlohmann::json::parse(doctor_json(report({unused})));
  EXPECT_TRUE(document["features"][0]["used_for"].is_null());
}

} // namespace
} // namespace mapscope
