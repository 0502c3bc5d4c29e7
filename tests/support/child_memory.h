// The memory of a child of the test, read with process_vm_readv(2).
#pragma once

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <fmt/format.h>

#include "flow/address_space.h"

namespace mapscope::testing {

class ChildMemory final : public AddressSpace {
public:
  explicit ChildMemory(pid_t pid) : pid_(pid) {}

  Result<> read(std::span<MemoryRead> reads) override {
    for (auto rest = reads; !rest.empty();) {
      std::array<iovec, 1024> ours, theirs;
      const std::size_t count = std::min(rest.size(), ours.size());
      for (std::size_t i = 0; i < count; ++i) {
        ours[i] = {rest[i].into.data(), rest[i].into.size()};
        theirs[i] = {reinterpret_cast<void *>(rest[i].address.value), rest[i].into.size()};
      }
      const ssize_t got = ::process_vm_readv(pid_, ours.data(), count, theirs.data(), count, 0);
      if (got < 0 && errno != EFAULT)
        return std::unexpected(Error::from_errno("process_vm_readv"));
      auto left = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
      std::size_t settled = 0;
      for (bool went_on = true; went_on && settled < count; ++settled) {
        went_on = rest[settled].is_read = left >= rest[settled].into.size();
        left -= went_on ? rest[settled].into.size() : left;
      }
      rest = rest.subspan(settled);
    }
    return {};
  }

  Result<std::vector<Mapping>> mappings() override {
    std::vector<Mapping> mappings;
    std::ifstream lines{fmt::format("/proc/{}/maps", pid_)};
    for (std::string line; std::getline(lines, line);) {
      std::uint64_t start = 0, end = 0, offset = 0, inode = 0;
      std::array<char, 5> access{};
      unsigned major_device = 0, minor_device = 0;
      int name = 0;
      if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
                      &start, &end, access.data(), &offset, &major_device, &minor_device, &inode,
                      &name) < 7)
        return fail(Errc::malformed, "/proc/{}/maps: {}", pid_, line);
      mappings.push_back({.start = {start},
                          .size_bytes = end - start,
                          .is_readable = access[0] == 'r',
                          .is_writable = access[1] == 'w',
                          .is_executable = access[2] == 'x',
                          .file_offset = offset,
                          .device = gnu_dev_makedev(major_device, minor_device),
                          .inode = inode,
                          .name = line.substr(static_cast<std::size_t>(name))});
    }
    return mappings;
  }

private:
  pid_t pid_;
};

} // namespace mapscope::testing
