// Keys and values of the kernel's maps as text, by a BTF that may say anything, and without one.
// The first two bytes say how many of the others are BTF.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/handle.h"
#include "base/printable.h"
#include "fuzz/fuzz_target.h"
#include "kernel/bpf_maps/map_data_text.h"
#include "kernel/bpf_maps/map_data_writer.h"

using namespace mapscope;

namespace {

constexpr std::uint32_t kTypesAsked = 64;

void require(bool sound) {
  if (!sound)
    std::abort();
}

} // namespace

MAPSCOPE_FUZZ_TARGET(map_data_fuzz, data, size_bytes) {
  static const auto old_print = libbpf_set_print(nullptr);
  (void)old_print;
  if (size_bytes < 2)
    return 0;
  const auto rest = std::as_bytes(std::span{data, size_bytes}).subspan(2);
  const std::size_t split = std::min<std::size_t>(data[0] | std::size_t{data[1]} << 8, rest.size());
  const auto bytes = rest.subspan(split);
  const std::string text = map_bytes_text(bytes);
  require(printable(text) == text);

  const Handle<btf, btf__free> types{btf__new(rest.data(), static_cast<std::uint32_t>(split))};
  if (!types || libbpf_get_error(types.get()) != 0)
    return 0;
  const std::uint32_t count = std::min(btf__type_cnt(types.get()), kTypesAsked);
  for (std::uint32_t type = 1; type < count; ++type) {
    MapDataWriter writer{types.get(), kMapDataTextMax};
    writer.write(type, bytes);
    require(cut_map_text(writer.text()).size() <= kMapDataTextMax + 8);
  }
  return 0;
}
