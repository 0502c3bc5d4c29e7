// What the server answers to clients that ask as they should.
#include "serve/api_server.h"

#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "unit/serve/fake_daemon.h"
#include "unit/serve/http_client.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

class ApiServerTest : public ::testing::Test {
protected:
  // Called once the daemon is as the test wants it.
  void start(const std::string &address = "127.0.0.1:0") {
    auto started = ApiServer::start({.address = address, .socket = ""}, daemon);
    ASSERT_TRUE(started) << started.error().message();
    server = *std::move(started);
  }
  std::string get(std::string_view path, std::string_view headers = "") {
    return mapscope::get(server->address(), path, headers);
  }
  Json document(std::string_view path) {
    const std::string answer = get(path);
    EXPECT_EQ(status_of(answer), 200) << answer;
    return Json::parse(body_of(answer), nullptr, false);
  }

  FakeDaemon daemon;
  std::unique_ptr<ApiServer> server; // stops before the daemon goes
};

TEST_F(ApiServerTest, ListsWhatCanBeAsked) {
  start();
  const std::string index{body_of(get("/"))};
  for (auto path : {"/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/processes",
                    "/api/v1/findings", "/debug/pprof/maps?pid="})
    EXPECT_NE(index.find(path), index.npos) << path;
}

TEST_F(ApiServerTest, SaysWhetherItIsHealthyAndReady) {
  daemon.ready = false;
  daemon.problem = "the database can't be written";
  start();
  EXPECT_EQ(status_of(get("/readyz")), 503);
  EXPECT_EQ(status_of(get("/healthz")), 503);
  EXPECT_EQ(body_of(get("/healthz")), "the database can't be written\n");
  server.reset();
  daemon.ready = true;
  daemon.problem.clear();
  start();
  EXPECT_EQ(body_of(get("/readyz")), "ok\n");
  EXPECT_EQ(body_of(get("/healthz")), "ok\n");
}

TEST_F(ApiServerTest, TellsItsState) {
  daemon.watched = {made_up_process(1234)};
  daemon.raised = {made_up_alert(), made_up_alert("old", 1)};
  start();
  const Json status = document("/api/v1/status");
  EXPECT_EQ(status["schema"], "mapscope.status/1");
  EXPECT_EQ(status["version"], "1.2.3");
  EXPECT_EQ(status["health"], Json());
  EXPECT_EQ(status["processes"]["watched"], 1);
  EXPECT_EQ(status["findings"]["firing"], 1);
  EXPECT_EQ(status["findings"]["resolved"], 1);
  EXPECT_EQ(status["lost"]["exec_events"], 2);
  EXPECT_EQ(status["alerts"]["sinks"][0]["pending"], 1);
  EXPECT_GE(status["up_seconds"].get<double>(), 89);
}

TEST_F(ApiServerTest, ListsProcessesTheLargestFirst) {
  daemon.watched = {made_up_process(1, 1000), made_up_process(2, 3000), made_up_process(3, 2000)};
  daemon.watched[0].process.exe = "/opt/other";
  start();
  Json all = document("/api/v1/processes");
  EXPECT_EQ(all["schema"], "mapscope.processes/1");
  ASSERT_EQ(all["processes"].size(), 3u);
  EXPECT_EQ(all["processes"][0]["pid"], 2);
  EXPECT_EQ(all["processes"][2]["exe"], "/opt/other");
  EXPECT_EQ(all["processes"][0]["container_id"], Json()) << "unknown is null";
  EXPECT_EQ(all["processes"][0]["census"]["totals"]["bytes"], 3000);

  const Json limited = document("/api/v1/processes?exe=/srv/*&limit=1");
  ASSERT_EQ(limited["processes"].size(), 1u);
  EXPECT_EQ(limited["not_shown"], 1);
  EXPECT_EQ(document("/api/v1/processes?exe=%2Fopt%2F*")["processes"].size(), 1u);
  EXPECT_EQ(status_of(get("/api/v1/processes?limit=-1")), 400);
  EXPECT_EQ(status_of(get("/api/v1/processes?exe=" + std::string(30, '*'))), 400);
}

TEST_F(ApiServerTest, TellsOfOneProcessAndItsMaps) {
  daemon.watched = {made_up_process(1234)};
  start();
  const Json process = document("/api/v1/processes/1234");
  EXPECT_EQ(process["schema"], "mapscope.process/1");
  EXPECT_EQ(process["process"]["pid"], 1234);
  EXPECT_EQ(process["maps"][0]["site"]["line"], 12);
  EXPECT_EQ(process["maps"][0]["cause"], "emptied");
  EXPECT_EQ(process["maps"][0]["address"], "0xc000010000");
  EXPECT_EQ(document("/api/v1/processes/1234/maps")["schema"], "mapscope.maps/1");
}

TEST_F(ApiServerTest, TellsOfTheKernelsMaps) {
  daemon.raised = {made_up_alert("bpf-fill")};
  daemon.raised[0].finding.bpf_map = {.id = 7, .name = "flow_table"};
  start();
  EXPECT_EQ(status_of(get("/api/v1/bpf-maps")), 404) << "nobody has looked yet";
  const Json finding = document("/api/v1/findings")["findings"][0];
  EXPECT_EQ(finding["process"], Json());
  EXPECT_EQ(finding["bpf_map"]["name"], "flow_table");
  daemon.kernel_maps = std::make_shared<const BpfMapsLook>();
  EXPECT_EQ(document("/api/v1/bpf-maps")["schema"], "mapscope.bpf_maps/1");
}

TEST_F(ApiServerTest, DoesNotKnowOthers) {
  start();
  for (auto path : {"/api/v1/processes/77", "/api/v1/processes/77/maps", "/api/v1/processes/x",
                    "/api/v1/processes/-1", "/api/v1/processes/1/x", "/api/v1/processes/",
                    "/api/v1/processes/99999999999", "/api/v1", "/metrics/", "/debug/pprof/heap",
                    "/debug/pprof/maps?pid=77"}) {
    const std::string answer = get(path);
    EXPECT_EQ(status_of(answer), 404) << path;
    EXPECT_TRUE(Json::parse(body_of(answer), nullptr, false).contains("error")) << answer;
  }
  EXPECT_EQ(status_of(get("/debug/pprof/maps")), 400);
  EXPECT_EQ(status_of(get("/debug/pprof/maps?pid=abc")), 400);
}

TEST_F(ApiServerTest, FiltersFindings) {
  daemon.raised = {made_up_alert("waste"), made_up_alert("growth", 1'700'000'100'000'000'000)};
  start();
  const Json all = document("/api/v1/findings");
  EXPECT_EQ(all["schema"], "mapscope.findings/1");
  ASSERT_EQ(all["findings"].size(), 2u);
  EXPECT_EQ(all["findings"][0]["since"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(all["findings"][0]["resolved"], Json());
  EXPECT_EQ(all["findings"][0]["numbers"]["bytes"], 1048576);
  const Json firing = document("/api/v1/findings?state=firing");
  ASSERT_EQ(firing["findings"].size(), 1u);
  EXPECT_EQ(firing["findings"][0]["rule"], "waste");
  EXPECT_EQ(document("/api/v1/findings?state=resolved")["findings"][0]["rule"], "growth");
  EXPECT_EQ(document("/api/v1/findings?rule=none")["findings"].size(), 0u);
  EXPECT_EQ(status_of(get("/api/v1/findings?state=x")), 400);
}

TEST_F(ApiServerTest, GivesProfilesAsFiles) {
  daemon.profile_bytes = std::string("\x1f\x8b\0binary", 9);
  start();
  const std::string answer = get("/debug/pprof/maps?pid=1234&seconds=5");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_EQ(body_of(answer), daemon.profile_bytes);
  EXPECT_NE(answer.find("Content-Type: application/octet-stream\r\n"), answer.npos) << answer;
  EXPECT_NE(answer.find("filename=\"maps-1234.pb.gz\""), answer.npos) << answer;
}

TEST_F(ApiServerTest, TakesOneProfileAtATimeAndServesOthersMeanwhile) {
  daemon.profiles_allowed = false;
  start();
  std::string first;
  std::thread client{[&] { first = get("/debug/pprof/maps?pid=1234"); }};
  while (daemon.profiles_begun == 0)
    std::this_thread::yield();
  EXPECT_EQ(status_of(get("/debug/pprof/maps?pid=1234")), 503);
  EXPECT_EQ(status_of(get("/healthz")), 200);
  daemon.profiles_allowed = true;
  daemon.profiles_allowed.notify_all();
  client.join();
  EXPECT_EQ(body_of(first), "profile");
}

TEST_F(ApiServerTest, AnswersHeadWithoutABodyAndWithoutTheWork) {
  start();
  const std::string answer =
      ask(server->address(), "HEAD /debug/pprof/maps?pid=1234 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_EQ(body_of(answer), "");
  EXPECT_EQ(daemon.profiles_begun, 0);
}

TEST_F(ApiServerTest, GivesMetricsInTheFormatThatIsAskedFor) {
  start();
  const std::string plain = get("/metrics");
  EXPECT_NE(plain.find("Content-Type: text/plain; version=0.0.4"), plain.npos);
  EXPECT_EQ(plain.find("# EOF"), plain.npos);
  const std::string open =
      get("/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
  EXPECT_NE(open.find("Content-Type: application/openmetrics-text; version=1.0.0"), open.npos);
  EXPECT_TRUE(open.ends_with("# EOF\n"));
}

TEST_F(ApiServerTest, ForbidsBrowsersToGuess) {
  start();
  const std::string answer = get("/");
  EXPECT_NE(answer.find("X-Content-Type-Options: nosniff"), answer.npos);
  EXPECT_EQ(answer.find("Access-Control-Allow-Origin"), answer.npos);
}

TEST_F(ApiServerTest, CompressesForThoseThatReadIt) {
  daemon.watched = {made_up_process(1), made_up_process(2), made_up_process(3)};
  start();
  const std::string plain = get("/api/v1/processes");
  const std::string packed = get("/api/v1/processes", "Accept-Encoding: br, gzip\r\n");
  if (packed.find("Content-Encoding: gzip") == packed.npos)
    GTEST_SKIP() << "this cpp-httplib was built without zlib";
  EXPECT_TRUE(body_of(packed).starts_with("\x1f\x8b"));
  EXPECT_LT(packed.size(), plain.size());
}

TEST_F(ApiServerTest, ListensOnIpv6AsWell) {
  auto started = ApiServer::start({.address = "[::1]:0", .socket = ""}, daemon);
  if (!started)
    GTEST_SKIP() << "no IPv6 here: " << started.error().message();
  EXPECT_TRUE((*started)->address().starts_with("[::1]:"));
  EXPECT_FALSE((*started)->address().ends_with(":0"));
}

TEST_F(ApiServerTest, RefusesAddressesThatAreNone) {
  for (auto address : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80",
                       "[::1]", "example.org:80", ":80", "[]:80"}) {
    const auto started = ApiServer::start({.address = address, .socket = ""}, daemon);
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code(), Errc::usage) << address;
  }
}

TEST_F(ApiServerTest, SaysThatTheAddressIsTaken) {
  start();
  const auto second = ApiServer::start({.address = server->address(), .socket = ""}, daemon);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("another process serves at"), std::string::npos)
      << second.error().message();
}

TEST_F(ApiServerTest, StopsAndCanBeStartedAgainAtTheSameAddress) {
  start();
  const std::string address = server->address();
  EXPECT_EQ(status_of(get("/healthz")), 200);
  server->stop();
  server->stop();
  start(address);
  EXPECT_EQ(server->address(), address);
  EXPECT_EQ(status_of(get("/healthz")), 200);
}

} // namespace
} // namespace mapscope
