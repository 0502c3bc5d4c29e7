// A server with made-up processes, for programs that read from it: it says where it serves, and
// ends when its standard input does.
//
//   serve_driver [--socket PATH] [--profile FILE] [--processes N]
#include <cstdio>
#include <string>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

#include "serve/api_server.h"
#include "support/file_content.h"
#include "unit/serve/fake_daemon.h"

namespace mapscope {
namespace {

int serve(int argc, char **argv) {
  FakeDaemon daemon;
  ServeConfig config{.address = "127.0.0.1:0", .socket = ""};
  std::uint32_t processes = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--socket")
      config.socket = argv[i + 1];
    if (option == "--processes")
      processes = static_cast<std::uint32_t>(std::stoul(argv[i + 1]));
    if (option == "--profile")
      daemon.profile_bytes = testing::file_text(argv[i + 1]);
  }
  for (std::uint32_t i = 0; i < processes; ++i)
    daemon.watched.push_back(made_up_process(1234 + i, 1ULL << 30));
  daemon.raised = {made_up_alert()};
  const auto server = ApiServer::start(config, daemon);
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message());
    return 1;
  }
  fmt::print("{}\n", (*server)->address());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0)
    ;
  return 0;
}

} // namespace
} // namespace mapscope

int main(int argc, char **argv) { return mapscope::serve(argc, argv); }
