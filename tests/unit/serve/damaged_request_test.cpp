// Requests with bytes changed, cut out and doubled: each has an answer, and the same rules hold.
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "serve/http_messages.h"
#include "serve/routes.h"
#include "unit/serve/fake_daemon.h"
#include "unit/serve/http_client.h"

namespace mapscope {
namespace {

std::string damaged(std::string text, std::mt19937 &random) {
  for (std::size_t changes = 1 + random() % 4; changes != 0 && !text.empty(); --changes) {
    const std::size_t at = random() % text.size(), length = random() % 8;
    switch (random() % 4) {
    case 0:
      text[at] = static_cast<char>(random() % 256);
      break;
    case 1:
      text.erase(at, length);
      break;
    case 2:
      text.insert(at, text.substr(random() % text.size(), length));
      break;
    default:
      text.insert(at, 1, "\r\n%?&=:/\0 "[random() % 10]);
    }
  }
  return text;
}

TEST(DamagedRequestTest, HasAnAnswer) {
  FakeDaemon daemon;
  daemon.watched = {made_up_process(1234)};
  daemon.raised = {made_up_alert()};
  Routes routes{{}, {"127.0.0.1:9435", true}, daemon};
  const HttpMessages messages{[&](const HttpQuery &query) {
    const HttpAnswer answer = routes.reply(query);
    EXPECT_TRUE(answer.status == 405 || query.method == "GET" || query.method == "HEAD");
    return answer;
  }};
  std::mt19937 random{7}; // NOLINT: the same requests each time
  for (std::string_view request :
       {"GET /api/v1/processes?exe=%2Fsrv%2F*&limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n",
        "GET /api/v1/processes/1234/maps HTTP/1.0\r\nRange: bytes=0-1,5-9\r\n\r\n",
        "POST /api/v1/findings HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"})
    for (int i = 0; i < 500; ++i) {
      const std::string bytes = damaged(std::string{request}, random);
      const std::string answer = messages.answer(Transport::tcp, bytes);
      EXPECT_GE(status_of(answer), 200) << bytes << " gave " << answer;
      EXPECT_LT(status_of(answer), 500) << bytes << " gave " << answer;
    }
}

} // namespace
} // namespace mapscope
