// Alerting as a program of its own, for tests that kill it or that bring a real Alertmanager:
//
//   alert_driver DATABASE BOOT_ID alertmanager|webhook URL RESEND_SECONDS
//
// Reads one command a line from standard input: "fire N", "resolve N", "flush", and answers each
// with a line. Ends with its input.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "alert/alerting.h"
#include "unit/alert/alert_samples.h"

namespace mapscope {
namespace {

AlertsConfig config_of(char **words) {
  SinkConfig sink{.name = "driven", .retry_first = Milliseconds(50)};
  const HttpEndpoint endpoint{.url = words[4]};
  if (std::string_view(words[3]) == "alertmanager")
    sink.kind = AlertmanagerSink{.endpoint = endpoint, .resend = Seconds(std::atoi(words[5]))};
  else
    sink.kind = WebhookSink{.endpoint = endpoint};
  return {.database = words[1], .sinks = {sink}};
}

int run(char **words) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("driver")); // answers go to the other
  auto alerting = Alerting::start(config_of(words), {.host = "driven", .boot_id = words[2]});
  if (!alerting) {
    std::cerr << alerting.error().message() << '\n';
    return 1;
  }
  std::cout << "firing " << (*alerting)->firing().size() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words_of_line(line);
    std::string command;
    unsigned number = 0;
    words_of_line >> command >> number;
    if (command == "flush") {
      std::cout << ((*alerting)->flush(std::chrono::minutes(1)) ? "flushed" : "not flushed")
                << std::endl;
      continue;
    }
    (*alerting)->take({sample_finding(number, command == "fire")});
    std::cout << "taken" << std::endl;
  }
  (*alerting)->stop(std::chrono::seconds(5));
  return 0;
}

} // namespace
} // namespace mapscope

int main(int count, char **words) {
  if (count == 6)
    return mapscope::run(words);
  std::cerr << "usage: alert_driver DATABASE BOOT_ID alertmanager|webhook URL RESEND_SECONDS\n";
  return 2;
}
