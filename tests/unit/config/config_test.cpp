// The configuration as a whole: defaults, sections, and all that is wrong in one go.
#include "config/config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "unit/config/wrong_config.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

TEST(ConfigTest, AnEmptyFileSaysTheDefaults) {
  for (const char *text : {"", "# nothing\n", "{}", "watch:\nrules:\nalerts:\n  sinks:\n"}) {
    const auto config = parse_config(text, "c");
    ASSERT_TRUE(config.has_value()) << config.error().message();
    EXPECT_EQ(config_text(*config), config_text(default_config())) << text;
  }
}

TEST(ConfigTest, SectionsAreRead) {
  const auto config = parse_config("watch:\n"
                                   "  include: [{exe: /usr/bin/*, user: [1000, www-data]}]\n"
                                   "  processes_max: 50\n"
                                   "census: {interval: 5m, shortest: 30s, cpu_share: 2%}\n"
                                   "events: {enabled: false}\n"
                                   "verify: {at_start: 0, every: 0, for: 20s}\n"
                                   "serve: {address: '[::1]:0', socket: ''}\n"
                                   "limits: {memory_bytes: 100MB, cpu_share: 0.5}\n"
                                   "log: {level: debug, target: console}\n",
                                   "c");
  ASSERT_TRUE(config.has_value()) << config.error().message();
  ASSERT_EQ(config->watch.include.size(), 1U);
  EXPECT_EQ(config->watch.include[0].exe, std::vector<std::string>{"/usr/bin/*"});
  EXPECT_EQ(config->watch.include[0].user, (std::vector<std::string>{"1000", "www-data"}));
  EXPECT_EQ(config->watch.processes_max, 50U);
  EXPECT_EQ(config->census.interval, 5min);
  EXPECT_EQ(config->census.cpu_share, 0.02);
  EXPECT_EQ(config->census.longest, CensusConfig{}.longest);
  EXPECT_FALSE(config->events.enabled);
  EXPECT_EQ(config->verify.at_start, 0s);
  EXPECT_EQ(config->verify.for_, 20s);
  EXPECT_EQ(config->serve.address, "[::1]:0");
  EXPECT_EQ(config->serve.socket, "");
  EXPECT_EQ(config->limits.memory_bytes, 100'000'000U);
  EXPECT_EQ(config->log.level, "debug");
}

TEST(ConfigTest, AllThatIsWrongIsSaidAtOnceWithItsPlace) {
  EXPECT_EQ(problems_of("watch: {processes_max: many}\n"
                        "census:\n"
                        "  intervall: 10s\n"
                        "verify: {every: 10}\n"
                        "log: {level: loud}\n"),
            "c:1:24: watch.processes_max: \"many\" is no whole number; expected a whole number "
            "from 1 to 100000\n"
            "c:3:3: census.intervall: no such key (did you mean \"interval\"?); expected one of "
            "interval, shortest, longest, cpu_share, maps_max, maps_shown, snapshot_directory and "
            "snapshots_max_bytes\n"
            "c:4:17: verify.every: \"10\" has no unit; expected a duration from 1m to 7d, such as "
            "10s or 1h30m, or 0 for never\n"
            "c:5:14: log.level: \"loud\" is unknown; expected one of error, warning, info, debug "
            "and trace");
}

// One text for each way to be wrong, and a part of what has to be said.
TEST(ConfigTest, WhatIsWrongIsNamed) {
  const std::pair<const char *, const char *> cases[] = {
      {"[]", "c:1:1: a list; expected a map with watch"},
      {"word", "c:1:1: a single value"},
      {"Watch: {}", "did you mean \"watch\"?"},
      {"log: {level: info, level: debug}", "c:1:20: log.level: stands here twice"},
      {"log: [info]", "log: a list; expected a map"},
      {"log: {level: [info]}", "log.level: a list"},
      {"log: {level: }", "log.level: nothing; expected"},
      {"events: {enabled: yes}", "\"yes\" is neither; expected true or false"},
      {"events: {cpu_share: 200%}", "\"200%\" is out of range"},
      {"limits: {memory_bytes: 1MiB}", "\"1MiB\" is out of range; expected a size from 32MiB"},
      {"census: {interval: 500ms}", "has parts of a second"},
      {"census: {shortest: 2m}", "census.shortest: longer than interval (1m)"},
      {"census: {longest: 30s}", "census.longest: shorter than interval"},
      {"census: {maps_max: 10}", "census.maps_shown: above maps_max (10)"},
      {"census: {snapshot_directory: here}", "no absolute path"},
      {"verify: {every: 1m, for: 1m}", "verify.for: not shorter than every"},
      {"watch: {include: [{}]}", "every process"},
      {"watch: {include: [{exe: []}]}", "every process"},
      {"watch: {exclude: [word]}", "watch.exclude[0]: a single value"},
      {"watch: {include: [{exe: bin/x}]}", "matches nothing, since paths begin with /"},
      {"watch: {include: [{unit: 'a[b'}]}", "has a [ without a ]"},
      {"watch: {include: [{unit: 'a\\'}]}", "ends with a backslash"},
      {"watch: {include: [{unit: ''}]}", "an empty pattern"},
      {"serve: {address: 9435}", "is no address with a port"},
      {"serve: {address: 'example.org:80'}", "is no address with a port"},
      {"serve: {address: '127.0.0.1:65536'}", "is no address with a port"},
      {"serve: {socket: run/x}", "no absolute path"},
      {"\"a\\u001bb\": 1", "c:1:1: \"a?b\": no such key"},
  };
  for (const auto &[text, part] : cases)
    EXPECT_NE(problems_of(text).find(part), std::string::npos)
        << text << "\n  says: " << problems_of(text) << "\n  not: " << part;
}

TEST(ConfigTest, ManyProblemsAreCutAndCounted) {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += fmt::format("key{}: 1\n", i);
  const std::string problems = problems_of(text);
  EXPECT_TRUE(problems.ends_with("\nc: 900 problems more"));
}

TEST(ConfigTest, WhatIsPrintedReadsAsTheSame) {
  const auto config = parse_config("watch: {exclude: [{container: 'a[0-9]*'}]}\n"
                                   "default_rules: false\n"
                                   "rules: [{name: a, kind: map-growth, bytes_per_minute: 5MB}]\n"
                                   "alerts:\n"
                                   "  labels: {zone: 'null', empty: ''}\n"
                                   "  sinks:\n"
                                   "    - {name: w, kind: webhook, url: 'http://[::1]:80/x'}\n"
                                   "    - {name: c, kind: command, command: [/bin/cat, '']}\n"
                                   "  silences:\n"
                                   "    - {match: {rule: '*'}, until: 2030-01-01T00:00:00Z}\n",
                                   "c");
  ASSERT_TRUE(config.has_value()) << config.error().message();
  const std::string text = config_text(*config);
  const auto again = parse_config(text, "again");
  ASSERT_TRUE(again.has_value()) << again.error().message() << text;
  EXPECT_EQ(config_text(*again), text);
  EXPECT_EQ(again->rules.size(), 1U);
  EXPECT_EQ(again->rules[0].condition, config->rules[0].condition);
  EXPECT_EQ(again->alerts.labels, config->alerts.labels);
  EXPECT_EQ(again->alerts.silences[0].until_wall_ns, config->alerts.silences[0].until_wall_ns);
}

TEST(ConfigTest, AFileThatIsNoneIsNamed) {
  EXPECT_EQ(read_config("/nonexistent/c.yaml").error().code(), Errc::not_found);
  EXPECT_EQ(read_config("/").error().code(), Errc::usage);
  EXPECT_EQ(read_config("/dev/zero").error().code(), Errc::usage);
}

TEST(ConfigTest, AFileIsReadAndNamedInProblems) {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("config_test.{}", ::getpid())).string();
  std::ofstream{path} << "log: {level: debug}\n";
  EXPECT_EQ(read_config(path)->log.level, "debug");
  std::ofstream{path} << "log: {level: x}\n";
  EXPECT_TRUE(read_config(path).error().message().starts_with(path + ":1:14: log.level: "));
  std::filesystem::remove(path);
}

} // namespace
} // namespace mapscope
