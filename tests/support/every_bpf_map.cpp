// Creating and filling, a function for each way to fill; see every_bpf_map.h.
#include "support/every_bpf_map.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "support/bpf_map_fillings.h"

namespace mapscope::testing {
namespace {

// Numbers, since the headers of Debian 12 end before the last.
constexpr std::uint32_t kCgroupLocalStorage = 32, kArena = 33;

struct KindOfMap {
  std::string_view type;
  std::uint32_t number, key_bytes, value_bytes, max_entries;
  std::uint32_t flags = 0;
  std::uint64_t extra = 0;
};

constexpr std::uint32_t kPage = 4096;

const std::vector<KindOfMap> &kinds() {
  static const std::vector<KindOfMap> kinds = {
      {"hash", BPF_MAP_TYPE_HASH, 4, 8, 64},
      {"array", BPF_MAP_TYPE_ARRAY, 4, 8, 64},
      {"prog_array", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 16},
      {"perf_event_array", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 8},
      {"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 64},
      {"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 64},
      {"stack_trace", BPF_MAP_TYPE_STACK_TRACE, 4, 8 * 16, 64},
      {"cgroup_array", BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 8},
      {"lru_hash", BPF_MAP_TYPE_LRU_HASH, 4, 8, 1024},
      {"lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 1024},
      {"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 64, BPF_F_NO_PREALLOC},
      {"array_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 16},
      {"hash_of_maps", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 16},
      {"devmap", BPF_MAP_TYPE_DEVMAP, 4, 4, 16},
      {"sockmap", BPF_MAP_TYPE_SOCKMAP, 4, 4, 8},
      {"cpumap", BPF_MAP_TYPE_CPUMAP, 4, 4, 2},
      {"xskmap", BPF_MAP_TYPE_XSKMAP, 4, 4, 8},
      {"sockhash", BPF_MAP_TYPE_SOCKHASH, 4, 4, 8},
      {"cgroup_storage", BPF_MAP_TYPE_CGROUP_STORAGE, 16, 8, 0},
      {"reuseport_sockarray", BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8, 8},
      {"percpu_cgroup_storage", BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 16, 8, 0},
      {"queue", BPF_MAP_TYPE_QUEUE, 0, 8, 64},
      {"stack", BPF_MAP_TYPE_STACK, 0, 8, 64},
      {"sk_storage", BPF_MAP_TYPE_SK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC},
      {"devmap_hash", BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 16},
      {"struct_ops", BPF_MAP_TYPE_STRUCT_OPS, 4, 0, 1},
      {"ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, kPage},
      {"inode_storage", BPF_MAP_TYPE_INODE_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC},
      {"task_storage", BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC},
      {"bloom_filter", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 64},
      {"user_ringbuf", BPF_MAP_TYPE_USER_RINGBUF, 0, 0, kPage},
      {"cgrp_storage", kCgroupLocalStorage, 4, 8, 0, BPF_F_NO_PREALLOC},
      {"arena", kArena, 0, 0, 16, BPF_F_MMAPABLE},
  };
  return kinds;
}

bool is_local_storage(std::string_view type) {
  return type.ends_with("_storage") && !type.ends_with("cgroup_storage");
}

// BTF of `int` and of `struct flow_key`, held while maps are made with it.
class TypesOfMaps {
public:
  TypesOfMaps() : btf_(btf__new_empty()) {
    if (!btf_)
      return;
    int_ = btf__add_int(btf_.get(), "int", 4, BTF_INT_SIGNED);
    u64_ = btf__add_int(btf_.get(), "unsigned long long", 8, 0);
    const int u32 = btf__add_int(btf_.get(), "unsigned int", 4, 0);
    const int u16 = btf__add_int(btf_.get(), "unsigned short", 2, 0);
    flow_key_ = btf__add_struct(btf_.get(), "flow_key", 8);
    btf__add_field(btf_.get(), "address", u32, 0, 0);
    btf__add_field(btf_.get(), "port", u16, 32, 0);
    btf__add_field(btf_.get(), "zone", u16, 48, 0);
    if (btf__load_into_kernel(btf_.get()) == 0)
      fd_ = btf__fd(btf_.get());
  }
  std::uint32_t fd() const { return static_cast<std::uint32_t>(std::max(fd_, 0)); }
  std::uint32_t int_id() const { return static_cast<std::uint32_t>(int_); }
  std::uint32_t u64_id() const { return static_cast<std::uint32_t>(u64_); }
  std::uint32_t flow_key_id() const { return static_cast<std::uint32_t>(flow_key_); }

private:
  Handle<btf, btf__free> btf_;
  int fd_ = -1, int_ = 0, u64_ = 0, flow_key_ = 0;
};

// A congestion control, the struct_ops that every kernel with TCP knows.
Result<void> use_struct_ops(bpf_map_create_opts &options, std::uint32_t &value_bytes) {
  const Handle<btf, btf__free> kernel{btf__load_vmlinux_btf()};
  if (!kernel)
    return std::unexpected(Error::from_errno("reading the kernel's BTF"));
  const int id =
      btf__find_by_name_kind(kernel.get(), "bpf_struct_ops_tcp_congestion_ops", BTF_KIND_STRUCT);
  if (id < 0)
    return fail(Errc::unsupported, "the kernel has no struct_ops for congestion controls");
  options.btf_vmlinux_value_type_id = static_cast<std::uint32_t>(id);
  value_bytes = static_cast<std::uint32_t>(
      btf__resolve_size(kernel.get(), options.btf_vmlinux_value_type_id));
  return {};
}

Result<MadeBpfMap> create(const KindOfMap &kind, const std::string &name,
                          bpf_map_create_opts options) {
  options.map_flags = kind.flags;
  options.map_extra = kind.extra;
  MadeBpfMap made{.name = name.substr(0, 15), .type = std::string{kind.type}};
  made.type_number = kind.number;
  made.key_bytes = kind.key_bytes;
  made.value_bytes = kind.value_bytes;
  made.max_entries = kind.max_entries;
  made.flags = kind.flags;
  if (kind.type == "struct_ops")
    if (auto used = use_struct_ops(options, made.value_bytes); !used)
      return std::unexpected(std::move(used).error());
  made.fd = Fd{bpf_map_create(static_cast<bpf_map_type>(kind.number), made.name.c_str(),
                              made.key_bytes, made.value_bytes, made.max_entries, &options)};
  if (!made.fd)
    return std::unexpected(Error::from_errno("creating it"));
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(made.fd.get(), &info, &length) < 0)
    return std::unexpected(Error::from_errno("asking for its id"));
  made.id = info.id;
  return made;
}

std::uint64_t amount(BpfMapLevel level, std::uint64_t max) {
  if (level == BpfMapLevel::empty)
    return 0;
  return level == BpfMapLevel::full ? max : std::max<std::uint64_t>(max * 3 / 8, 1);
}

} // namespace

struct EveryBpfMap::State {
  std::vector<MadeBpfMap> maps;
  std::vector<RefusedBpfMap> refused;
  TypesOfMaps types;
  BpfMapFillings fillings; // what the maps refer to: sockets, programs, inner maps
};

EveryBpfMap::EveryBpfMap(std::unique_ptr<State> state) : state_(std::move(state)) {}
EveryBpfMap::EveryBpfMap(EveryBpfMap &&) noexcept = default;
EveryBpfMap &EveryBpfMap::operator=(EveryBpfMap &&) noexcept = default;
EveryBpfMap::~EveryBpfMap() = default;

const std::vector<MadeBpfMap> &EveryBpfMap::maps() const { return state_->maps; }
const std::vector<RefusedBpfMap> &EveryBpfMap::refused() const { return state_->refused; }

const MadeBpfMap *EveryBpfMap::find(std::string_view type) const {
  const auto found = std::ranges::find(state_->maps, type, &MadeBpfMap::type);
  return found == state_->maps.end() ? nullptr : &*found;
}

EveryBpfMap EveryBpfMap::make(BpfMapLevel level, const std::vector<std::string> &only) {
  auto state = std::make_unique<State>();
  for (const KindOfMap &kind : kinds()) {
    if (!only.empty() && std::ranges::find(only, kind.type) == only.end())
      continue;
    LIBBPF_OPTS(bpf_map_create_opts, options);
    if (kind.type == "struct_ops")
      options.btf_fd = state->types.fd(); // wanted, though its types are the kernel's
    if (is_local_storage(kind.type)) {
      options.btf_fd = state->types.fd();
      options.btf_key_type_id = state->types.int_id();
      options.btf_value_type_id = state->types.u64_id();
    }
    if (kind.type.ends_with("_of_maps"))
      options.inner_map_fd = static_cast<std::uint32_t>(state->fillings.inner_map());
    auto made = create(kind, "ms_" + std::string{kind.type}, options);
    if (!made) {
      state->refused.push_back({std::string{kind.type}, made.error().message()});
      continue;
    }
    if (auto filled = state->fillings.fill(*made, amount(level, made->max_entries)); !filled)
      state->refused.push_back({std::string{kind.type}, filled.error().message()});
    else
      state->maps.push_back(std::move(*made));
  }
  return EveryBpfMap{std::move(state)};
}

Result<MadeBpfMap> make_bpf_map(std::string_view type, const std::string &name,
                                std::uint32_t max_entries, std::uint32_t flags,
                                std::uint32_t key_bytes, std::uint32_t value_bytes) {
  const auto found = std::ranges::find(kinds(), type, &KindOfMap::type);
  if (found == kinds().end())
    return fail(Errc::usage, "no such type of map: {}", type);
  KindOfMap kind = *found;
  kind.max_entries = max_entries;
  kind.flags |= flags;
  kind.key_bytes = key_bytes;
  kind.value_bytes = value_bytes;
  LIBBPF_OPTS(bpf_map_create_opts, options);
  return create(kind, name, options);
}

Result<MadeBpfMap> make_hash_with_btf(const std::string &name, std::uint32_t max_entries) {
  static const TypesOfMaps types; // the kernel keeps them as long as a map has them
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.btf_fd = types.fd();
  options.btf_key_type_id = types.flow_key_id();
  options.btf_value_type_id = types.u64_id();
  return create({"hash", BPF_MAP_TYPE_HASH, 8, 8, max_entries}, name, options);
}

Result<void> put_bpf_keys(const MadeBpfMap &map, std::uint32_t first, std::uint32_t count) {
  const auto value_bytes = static_cast<std::uint32_t>(stored_value_bytes(map));
  constexpr std::uint32_t kBatch = 4096;
  std::vector<std::byte> keys(std::size_t{kBatch} * map.key_bytes);
  const std::vector<std::byte> values(std::size_t{kBatch} * value_bytes, std::byte{1});
  for (std::uint32_t done = 0; done < count;) {
    const std::uint32_t now = std::min(kBatch, count - done);
    for (std::uint32_t i = 0; i < now; ++i) {
      const std::uint32_t key = first + done + i;
      std::memcpy(keys.data() + std::size_t{i} * map.key_bytes, &key,
                  std::min<std::size_t>(map.key_bytes, sizeof(key)));
    }
    std::uint32_t taken = now;
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    if (bpf_map_update_batch(map.fd.get(), keys.data(), values.data(), &taken, &options) < 0)
      return std::unexpected(Error::from_errno(
          fmt::format("adding key {} to map {}", first + done + taken, map.name)));
    done += now;
  }
  return {};
}

} // namespace mapscope::testing
