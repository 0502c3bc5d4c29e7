// Keys and values as their BTF has them; see key_reader.h.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/handle.h"
#include "kernel/bpf_maps/key_reader.h"
#include "kernel/bpf_maps/map_data_text.h"
#include "kernel/bpf_maps/map_facts.h"
#include "kernel/libbpf_words.h"

namespace mapscope {
namespace {

// What is larger is told by its first bytes: nobody reads a line of it, and a dump costs time by
// its length.
constexpr std::size_t kDumpedBytesMax = 4096;
constexpr std::size_t kDumpedTextMax = 64 * 1024;

void collect_dump(void *context, const char *format, va_list arguments) {
  auto &text = *static_cast<std::string *>(context);
  char piece[256];
  const int length = std::vsnprintf(piece, sizeof(piece), format, arguments);
  if (length > 0 && text.size() < kDumpedTextMax)
    text.append(piece, std::min<std::size_t>(static_cast<std::size_t>(length), sizeof(piece) - 1));
}

} // namespace

struct MapDataFormatter::State {
  Handle<btf, btf__free> types;
  Handle<btf_dump, btf_dump__free> dump;
  std::uint32_t key_id = 0, value_id = 0;
  mutable std::string dumped;

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
    LIBBPF_OPTS(btf_dump_opts, options);
    dump.reset(btf_dump__new(types.get(), collect_dump, &dumped, &options));
    key_id = info.btf_key_type_id;
    value_id = info.btf_value_type_id;
  }

  // Of one thing of that type; empty: it can't be had.
  std::string dump_one(std::uint32_t type, std::span<const std::byte> bytes) const {
    dumped.clear();
    LIBBPF_OPTS(btf_dump_type_data_opts, options, .compact = true, .emit_zeroes = true);
    const int used =
        btf_dump__dump_type_data(dump.get(), type, bytes.data(), bytes.size(), &options);
    return used < 0 ? std::string{} : without_casts(dumped);
  }

  std::string text(std::uint32_t type, std::span<const std::byte> bytes) const {
    if (!dump || type == 0 || bytes.size() > kDumpedBytesMax)
      return map_bytes_text(bytes);
    const auto size = btf__resolve_size(types.get(), type);
    if (size <= 0 || static_cast<std::size_t>(size) > bytes.size())
      return map_bytes_text(bytes);
    const auto one = static_cast<std::size_t>(size);
    const std::size_t padded = (one + 7) / 8 * 8;
    if (bytes.size() < 2 * padded || bytes.size() % padded != 0) {
      const std::string dumped_text = dump_one(type, bytes);
      return dumped_text.empty() ? map_bytes_text(bytes) : cut_map_text(dumped_text);
    }
    std::string all = "["; // of per-CPU maps: one for each CPU
    for (std::size_t at = 0; at < bytes.size() && all.size() <= kMapDataTextMax; at += padded)
      all += (at == 0 ? "" : ", ") + dump_one(type, bytes.subspan(at, one));
    return cut_map_text(all + "]");
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
