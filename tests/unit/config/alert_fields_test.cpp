// Sinks and silences in the file.
#include <gtest/gtest.h>

#include "config/config.h"
#include "unit/config/wrong_config.h"

namespace mapscope {
namespace {

using namespace std::chrono_literals;

TEST(AlertFieldsTest, EverySinkIsRead) {
  const auto config = parse_config(
      "alerts:\n"
      "  database: /tmp/a.db\n"
      "  per_rule_per_hour: 5\n"
      "  sinks:\n"
      "    - {name: am, kind: alertmanager, url: 'http://127.0.0.1:9093', resend: 30s}\n"
      "    - name: hook\n"
      "      kind: webhook\n"
      "      url: https://alerts.example/in\n"
      "      headers: {X-A: b}\n"
      "      username: me\n"
      "      password_file: /etc/p\n"
      "      ca_file: /etc/ca\n"
      "      certificate_file: /etc/c\n"
      "      key_file: /etc/k\n"
      "      timeout: 3s\n"
      "      queue_max: 20\n"
      "      retry_first: 200ms\n"
      "      retry_longest: 1m\n"
      "      send_resolved: false\n"
      "    - {name: lines, kind: file, path: /tmp/a.jsonl}\n"
      "    - {name: page, kind: command, command: [/bin/page, -v], timeout: 5s}\n"
      "  silences:\n"
      "    - {match: {rule: map-*}, until: '2030-01-01T00:00:00Z', comment: known}\n"
      "    - {match: {exe: /srv/x}}\n",
      "c");
  ASSERT_TRUE(config.has_value()) << config.error().message();
  const auto &sinks = config->alerts.sinks;
  ASSERT_EQ(sinks.size(), 4U);
  EXPECT_EQ(std::get<AlertmanagerSink>(sinks[0].kind).endpoint.url, "http://127.0.0.1:9093");
  EXPECT_EQ(std::get<AlertmanagerSink>(sinks[0].kind).resend, 30s);
  const auto &hook = std::get<WebhookSink>(sinks[1].kind).endpoint;
  EXPECT_EQ(hook.headers.at("X-A"), "b");
  EXPECT_EQ(hook.password_file, "/etc/p");
  EXPECT_EQ(hook.timeout, 3s);
  EXPECT_EQ(sinks[1].queue_max, 20U);
  EXPECT_EQ(sinks[1].retry_first, 200ms);
  EXPECT_FALSE(sinks[1].send_resolved);
  EXPECT_EQ(std::get<FileSink>(sinks[2].kind).path, "/tmp/a.jsonl");
  EXPECT_EQ(std::get<CommandSink>(sinks[3].kind).command,
            (std::vector<std::string>{"/bin/page", "-v"}));
  EXPECT_EQ(std::get<CommandSink>(sinks[3].kind).timeout, 5s);
  ASSERT_EQ(config->alerts.silences.size(), 2U);
  EXPECT_EQ(config->alerts.silences[0].until_wall_ns, 1'893'456'000'000'000'000U);
  EXPECT_FALSE(config->alerts.silences[1].until_wall_ns);
}

std::string problems_of_sink(std::string_view rest) {
  return problems_of(fmt::format("alerts: {{sinks: [{{name: s, {}}}]}}", rest));
}

TEST(AlertFieldsTest, UrlsAreOfHttp) {
  for (const char *url :
       {"http://a", "https://a.example:1/b?c=d", "http://[::1]:9093/", "http://127.0.0.1:65535"})
    EXPECT_EQ(problems_of_sink(fmt::format("kind: webhook, url: '{}'", url)), "") << url;
  for (const char *url :
       {"", "a", "ftp://a", "http://", "http://:80", "http://a:", "http://a:0", "http://a:65536",
        "http://a b", "http://[::1", "http://a/#b", "http://[::1]80", "http://a:b", "HTTP://a"})
    EXPECT_NE(problems_of_sink(fmt::format("kind: webhook, url: '{}'", url)), "") << url;
}

TEST(AlertFieldsTest, SecretsDoNotStandInTheFile) {
  const std::string in_url = problems_of_sink("kind: webhook, url: 'http://me:secret@a'");
  EXPECT_NE(in_url.find("a password in a URL"), std::string::npos) << in_url;
  EXPECT_EQ(in_url.find("secret@"), std::string::npos);
  const std::string in_header =
      problems_of_sink("kind: webhook, url: 'http://a', headers: {authorization: secretword}");
  EXPECT_NE(in_header.find("bearer_token_file"), std::string::npos) << in_header;
  EXPECT_EQ(in_header.find("secretword"), std::string::npos);
}

TEST(AlertFieldsTest, WhatIsWrongIsNamed) {
  const std::pair<const char *, const char *> cases[] = {
      {"alerts: {sinks: [{name: s}]}", "alerts.sinks[0].kind: is missing"},
      {"alerts: {sinks: [{kind: file, path: /x}]}", "alerts.sinks[0].name: is missing"},
      {"alerts: {sinks: [{name: s, kind: mail}]}", "\"mail\" is unknown"},
      {"alerts: {sinks: [{name: s, kind: webhook}]}", "alerts.sinks[0].url: is missing"},
      {"alerts: {sinks: [{name: s, kind: file}]}", "alerts.sinks[0].path: is missing"},
      {"alerts: {sinks: [{name: s, kind: file, path: x}]}", "no absolute path"},
      {"alerts: {sinks: [{name: s, kind: file, path: /x, url: 'http://a'}]}", "url: no such key"},
      {"alerts: {sinks: [{name: s, kind: command, command: []}]}", "its absolute path first"},
      {"alerts: {sinks: [{name: s, kind: command, command: [page]}]}", "its absolute path first"},
      {"alerts: {sinks: [{name: s, kind: command, command: /x}]}",
       "a single value; expected a list"},
      {"alerts: {sinks: [{name: s, kind: file, path: /x}, {name: s, kind: file, path: /y}]}",
       "alerts.sinks: two have the name \"s\""},
      {"alerts: {sinks: [{name: s, kind: file, path: /x, retry_first: 1h}]}",
       "alerts.sinks[0].retry_first: longer than retry_longest (5m)"},
      {"alerts: {sinks: [{name: s, kind: webhook, url: 'http://a', username: x}]}", "together"},
      {"alerts: {sinks: [{name: s, kind: webhook, url: 'http://a', ca_file: /x}]}",
       "alerts.sinks[0].ca_file: with an http:// URL"},
      {"alerts: {sinks: [{name: s, kind: webhook, url: 'https://a', key_file: /x}]}", "together"},
      {"alerts: {sinks: [{name: s, kind: webhook, url: 'http://a', headers: {'a b': c}}]}",
       "is no name of a header"},
      {"alerts: {sinks: [{name: s, kind: webhook, url: 'http://a', headers: {a: \"b\\r\\nc: "
       "d\"}}]}",
       "does not fit a header"},
      {"alerts: {silences: [{}]}", "alerts.silences[0].match: is missing"},
      {"alerts: {silences: [{match: {}}]}", "would silence everything"},
      {"alerts: {silences: [{match: {rule: x}, until: tomorrow}]}", "\"tomorrow\" is no time"},
      {"alerts: {labels: {9a: b}}", "is no name of a label"},
      {"alerts: {labels: {a: [b]}}", "alerts.labels.a: a list"},
      {"alerts: {labels: {a: b, a: c}}", "stands here twice"},
      {"alerts: {database: ''}", "no absolute path"},
  };
  for (const auto &[text, part] : cases)
    EXPECT_NE(problems_of(text).find(part), std::string::npos)
        << text << "\n  says: " << problems_of(text) << "\n  not: " << part;
}

} // namespace
} // namespace mapscope
