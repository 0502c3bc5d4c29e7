// Any bytes as a core file, and the rest of them as its executable: reads at every border that the
// file names. What is read must come from one of the two.
//
// The first two bytes say how long the executable is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "memory/core_file.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    std::abort();
}

void read_around(CoreFile &core, std::uint64_t address) {
  std::vector<std::byte> into(100);
  std::vector<MemoryRead> reads;
  for (const std::uint64_t at : {address - 100, address - 50, address, address + 4000})
    reads.push_back({{at}, into});
  reads.push_back({{address}, {}});
  require(core.read(reads).has_value());
  require(reads.back().is_read);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(core_file_fuzz, data, size_bytes) {
  if (size_bytes < 2)
    return 0;
  const auto bytes = std::as_bytes(std::span{data, size_bytes}).subspan(2);
  const std::size_t wish = data[0] | std::size_t{data[1]} << 8;
  const auto executable = bytes.last(std::min(wish, bytes.size()));
  auto core = CoreFile::open(ByteSource{bytes.first(bytes.size() - executable.size())}, "fuzz");
  if (!core)
    return 0;
  (void)(*core)->pid();
  (void)(*core)->set_executable(ByteSource{executable});
  const auto mappings = (*core)->mappings();
  require(mappings.has_value());
  require(std::ranges::is_sorted(*mappings, {}, &Mapping::start));
  read_around(**core, (*core)->entry().value);
  constexpr std::size_t kMappingsMax = 64;
  for (const Mapping &mapping :
       std::span{*mappings}.first(std::min(mappings->size(), kMappingsMax))) {
    read_around(**core, mapping.start.value);
    read_around(**core, mapping.start.value + mapping.size_bytes);
  }
  return 0;
}
