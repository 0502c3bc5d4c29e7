// Keys and values as their BTF has them; see key_reader.h.
#include <utility>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/handle.h"
#include "kernel/bpf_maps/key_reader.h"
#include "kernel/bpf_maps/map_data_text.h"
#include "kernel/bpf_maps/map_data_writer.h"
#include "kernel/bpf_maps/map_facts.h"
#include "kernel/libbpf_words.h"

namespace mapscope {

struct MapDataFormatter::State {
  Handle<btf, btf__free> types;
  std::uint32_t key_id = 0, value_id = 0;

  void open(const BpfMapFacts &map) {
    const auto fd = open_bpf_map(map.id);
    if (!fd)
      return;
    keep_libbpf_words();
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd->get(), &info, &length) < 0 || info.btf_id == 0)
      return;
    types.reset(btf__load_from_kernel_by_id(info.btf_id));
    if (!types)
      return;
    key_id = info.btf_key_type_id;
    value_id = info.btf_value_type_id;
  }

  std::string text(std::uint32_t type, std::span<const std::byte> bytes) const {
    const std::int64_t size = type == 0 || !types ? -1 : btf__resolve_size(types.get(), type);
    if (size <= 0 || static_cast<std::size_t>(size) > bytes.size())
      return map_bytes_text(bytes);
    const std::size_t padded = (static_cast<std::size_t>(size) + 7) / 8 * 8;
    // Of per-CPU maps: one for each CPU.
    const bool is_many = bytes.size() >= 2 * padded && bytes.size() % padded == 0;
    std::string all;
    for (std::size_t at = 0; at < bytes.size() && all.size() <= kMapDataTextMax; at += padded) {
      MapDataWriter writer{types.get(), kMapDataTextMax};
      writer.write(type, bytes.subspan(at));
      if (writer.is_faulty())
        return map_bytes_text(bytes);
      all += (at == 0 ? "" : ", ") + writer.text();
      if (!is_many)
        break;
    }
    return cut_map_text(is_many ? "[" + all + "]" : all);
  }
};

MapDataFormatter::MapDataFormatter(std::unique_ptr<State> state) : state_(std::move(state)) {}
MapDataFormatter::MapDataFormatter(MapDataFormatter &&) noexcept = default;
MapDataFormatter &MapDataFormatter::operator=(MapDataFormatter &&) noexcept = default;
MapDataFormatter::~MapDataFormatter() = default;

MapDataFormatter MapDataFormatter::of(const BpfMapFacts &map) {
  auto state = std::make_unique<State>();
  if (map.btf_id != 0)
    state->open(map);
  return MapDataFormatter{std::move(state)};
}

std::string MapDataFormatter::key(std::span<const std::byte> bytes) const {
  return state_->text(state_->key_id, bytes);
}

std::string MapDataFormatter::value(std::span<const std::byte> bytes) const {
  return state_->text(state_->value_id, bytes);
}

} // namespace mapscope
