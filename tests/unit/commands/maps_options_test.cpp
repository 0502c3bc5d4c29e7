// What the options of `maps` ask for, and which exclude each other.
#include "commands/maps_options.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

MapsOptions of_process() {
  MapsOptions options;
  options.pid = 4711;
  return options;
}

std::string usage_error(const MapsOptions &options) {
  auto request = maps_request_of(options);
  EXPECT_FALSE(request.has_value());
  if (request)
    return {};
  EXPECT_EQ(request.error().code(), Errc::usage);
  return request.error().message();
}

TEST(MapsOptionsTest, OwnersAreLookedForWhereThatIsQuickOrWanted) {
  EXPECT_EQ(maps_request_of(of_process())->owners, OwnersWanted::automatic);
  MapsOptions never = of_process();
  never.no_owners = true;
  never.group_by = "type";
  EXPECT_EQ(maps_request_of(never)->owners, OwnersWanted::no);
}

TEST(MapsOptionsTest, WhatNeedsOwnersAsksForThem) {
  using Set = void (*)(MapsOptions &);
  const std::initializer_list<std::pair<std::string, Set>> all = {
      {"--owners", [](MapsOptions &options) { options.owners = true; }},
      {"--owner", [](MapsOptions &options) { options.owner = "main.store"; }},
      {"--site", [](MapsOptions &options) { options.site = "main.go:41"; }},
      {"--group-by", [](MapsOptions &options) { options.group_by = "owner"; }},
      {"--group-by", [](MapsOptions &options) { options.group_by = "site"; }},
      {"--learn", [](MapsOptions &options) { options.learn = "10s"; }},
      {"--pprof", [](MapsOptions &options) { options.pprof = "maps.pb.gz"; }}};
  for (const auto &[name, set] : all) {
    MapsOptions options = of_process();
    set(options);
    auto request = maps_request_of(options);
    ASSERT_TRUE(request.has_value()) << name;
    EXPECT_EQ(request->owners, OwnersWanted::yes) << name;
    options.no_owners = true;
    EXPECT_EQ(usage_error(options), name + " needs what --no-owners leaves out");
    MapsOptions diff;
    diff.diff = {"before", "after"};
    set(diff);
    EXPECT_TRUE(usage_error(diff).starts_with(name + " does not go with --diff")) << name;
  }
}

TEST(MapsOptionsTest, TheSelectionHasWhatTheOptionsSay) {
  MapsOptions options = of_process();
  options.owner = "main.store";
  options.site = "main.go:41";
  options.group_by = "owner";
  options.learn = "500ms";
  auto request = maps_request_of(options);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->selection.owner, "main.store");
  EXPECT_EQ(request->selection.site, "main.go:41");
  EXPECT_EQ(request->selection.group_by, MapGroupBy::owner);
  EXPECT_EQ(request->learn, std::chrono::milliseconds{500});
}

TEST(MapsOptionsTest, OnlyAProcessIsLearnedFrom) {
  MapsOptions options;
  options.snapshot = "before.snap";
  options.learn = "10s";
  EXPECT_TRUE(usage_error(options).starts_with("--learn goes with -p PID"));
  options = of_process();
  options.learn = "soon";
  EXPECT_TRUE(usage_error(options).starts_with("--learn \"soon\": "));
}

TEST(MapsOptionsTest, AProfileIsOfOneLook) {
  MapsOptions options = of_process();
  options.pprof = "maps.pb.gz";
  options.watch_seconds = 1;
  EXPECT_TRUE(usage_error(options).starts_with("--pprof and --watch exclude each other"));
}

} // namespace
} // namespace mapscope
