// What systemd is told; see service_manager.h. Without systemd nothing happens: sd_notify() looks
// for the socket in the environment.
#include "pipeline/daemon/service_manager.h"

#include <cstdint>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

namespace mapscope {
namespace {

void notify(const std::string &state) { ::sd_notify(0, state.c_str()); }

} // namespace

ServiceManager::ServiceManager() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) > 0)
    watchdog_interval_ = std::chrono::microseconds{microseconds / 3};
}

void ServiceManager::ready(const std::string &status) {
  notify(fmt::format("READY=1\nSTATUS={}", status));
}

// systemd 253 and later wait for the time of Type=notify-reload; earlier ones ignore it.
void ServiceManager::reloading() {
  notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now_ns() / 1000));
}

void ServiceManager::stopping() { notify("STOPPING=1"); }
void ServiceManager::status(const std::string &sentence) {
  notify(fmt::format("STATUS={}", sentence));
}
void ServiceManager::alive() { notify("WATCHDOG=1"); }

} // namespace mapscope
