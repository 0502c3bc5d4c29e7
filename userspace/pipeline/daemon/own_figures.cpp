// What the daemon itself takes; see own_figures.h.
#include "pipeline/daemon/own_figures.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <unistd.h>

#include "base/clock.h"

namespace mapscope {
namespace {

std::uint64_t entries_of(const char *directory) {
  std::error_code error;
  std::uint64_t count = 0;
  for (auto entry = std::filesystem::directory_iterator(directory, error);
       !error && entry != std::filesystem::directory_iterator{}; entry.increment(error))
    ++count;
  return count;
}

} // namespace

OwnFigures own_figures() {
  OwnFigures own;
  own.cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  std::uint64_t total_pages = 0, resident_pages = 0;
  std::ifstream{"/proc/self/statm"} >> total_pages >> resident_pages;
  own.resident_bytes = resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  own.open_descriptors = entries_of("/proc/self/fd");
  own.threads = entries_of("/proc/self/task");
  return own;
}

std::string boot_id() {
  std::string id;
  std::ifstream{"/proc/sys/kernel/random/boot_id"} >> id;
  return id;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

} // namespace mapscope
