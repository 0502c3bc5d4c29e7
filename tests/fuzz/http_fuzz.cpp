// What any client may send to the daemon, through cpp-httplib to the documents.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuzz/fuzz_target.h"
#include "serve/http_messages.h"
#include "serve/routes.h"
#include "unit/serve/fake_daemon.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(http_fuzz, data, size_bytes) {
  static FakeDaemon daemon;
  static Routes routes{{}, {"127.0.0.1:9435", true}, daemon};
  static const HttpMessages messages{[](const HttpQuery &query) { return routes.reply(query); }};
  if (daemon.watched.empty()) {
    daemon.watched.push_back(made_up_process(1234));
    daemon.raised.push_back(made_up_alert());
  }
  const std::string_view request{reinterpret_cast<const char *>(data), size_bytes};
  for (const Transport transport : {Transport::tcp, Transport::unix_socket})
    if (!messages.answer(transport, request).starts_with("HTTP/1.1 "))
      std::abort();
  return 0;
}
