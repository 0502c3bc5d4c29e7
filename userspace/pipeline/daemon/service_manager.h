// What systemd is told of the daemon, where it was started by it: ready, reloading, stopping,
// alive.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace mapscope {

class ServiceManager {
public:
  ServiceManager();

  void ready(const std::string &status);
  void reloading();
  void stopping();
  void status(const std::string &sentence);
  void alive(); // the watchdog

  // How often alive() has to be called, with time to spare. Absent: nobody waits for it.
  std::optional<std::chrono::microseconds> watchdog_interval() const { return watchdog_interval_; }

private:
  std::optional<std::chrono::microseconds> watchdog_interval_;
};

} // namespace mapscope
