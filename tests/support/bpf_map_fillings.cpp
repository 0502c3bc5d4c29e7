// Keys, sockets, programs, records; see bpf_map_fillings.h.
#include "support/bpf_map_fillings.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "support/every_bpf_map.h"

namespace mapscope::testing {
namespace {

bpf_insn filling_step(int code, int destination, int source, int offset, std::int32_t immediate) {
  bpf_insn step{};
  step.code = static_cast<std::uint8_t>(code);
  step.dst_reg = static_cast<std::uint8_t>(destination) & 0xf;
  step.src_reg = static_cast<std::uint8_t>(source) & 0xf;
  step.off = static_cast<std::int16_t>(offset);
  step.imm = immediate;
  return step;
}

constexpr int kMoveRegister = BPF_ALU64 | BPF_MOV | BPF_X,
              kMoveNumber = BPF_ALU64 | BPF_MOV | BPF_K;

Result<Fd> load_filling(bpf_prog_type type, std::span<const bpf_insn> steps) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  Fd program{bpf_prog_load(type, "ms_filling", "GPL", steps.data(), steps.size(), &options)};
  if (!program)
    return std::unexpected(Error::from_errno("loading the program that fills it"));
  return program;
}

// Runs a raw tracepoint's program once, with one argument.
Result<std::uint32_t> run_filling(int program, std::uint64_t argument) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &argument, .ctx_size_in = sizeof(argument));
  if (bpf_prog_test_run_opts(program, &options) < 0)
    return std::unexpected(Error::from_errno("running the program that fills it"));
  return options.retval;
}

bool is_one_of(std::string_view type, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, type) != types.end();
}

// Eviction from LRU maps begins before they are full: what is left is what can be found.
std::uint64_t count_keys(const MadeBpfMap &map) {
  std::vector<std::byte> key(map.key_bytes), next(map.key_bytes);
  std::uint64_t keys = 0;
  for (bool is_first = true;
       bpf_map_get_next_key(map.fd.get(), is_first ? nullptr : key.data(), next.data()) == 0;
       is_first = false) {
    ++keys;
    key = next;
  }
  return keys;
}

// The root of cgroup v2, where systemd mounts it: beside the controllers of v1, or alone.
Fd open_cgroup() {
  Fd beside{::open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return beside ? std::move(beside)
                : Fd{::open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
}

} // namespace

std::size_t stored_value_bytes(const MadeBpfMap &map) {
  if (!map.type.starts_with("percpu_") && !map.type.starts_with("lru_percpu_"))
    return map.value_bytes;
  return (std::size_t{map.value_bytes} + 7) / 8 * 8 *
         static_cast<std::size_t>(libbpf_num_possible_cpus());
}

int BpfMapFillings::inner_map() {
  if (inner_map_ < 0) {
    inner_map_ = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ms_inner", 4, 4, 1, nullptr);
    held_.emplace_back(inner_map_);
  }
  return inner_map_;
}

Result<void> BpfMapFillings::fill(MadeBpfMap &map, std::uint64_t amount) {
  const std::string_view type = map.type;
  if (is_one_of(type, {"hash", "array", "percpu_hash", "percpu_array", "lru_hash",
                       "lru_percpu_hash", "devmap", "devmap_hash", "cpumap"}))
    return fill_keys(map, amount);
  if (type == "lpm_trie")
    return fill_prefixes(map, amount);
  if (is_one_of(type, {"queue", "stack", "bloom_filter"}))
    return push_values(map, amount);
  if (is_one_of(type, {"prog_array", "perf_event_array", "cgroup_array", "array_of_maps",
                       "hash_of_maps", "xskmap"}))
    return fill_descriptors(map, amount);
  if (is_one_of(type, {"sockmap", "sockhash", "reuseport_sockarray"}))
    return fill_sockets(map, amount);
  if (type == "stack_trace")
    return fill_stacks(map, std::min<std::uint64_t>(amount, 4));
  if (type == "ringbuf")
    return fill_ring(map, amount);
  if (type == "user_ringbuf")
    return fill_user_ring(map, amount);
  if (type == "arena")
    return touch_pages(map, amount);
  if (is_one_of(type, {"sk_storage", "inode_storage", "task_storage", "cgrp_storage"}))
    return amount == 0 ? Result<void>{} : fill_storage(map);
  return {}; // storage by cgroup comes and goes with programs, struct_ops wants functions
}

Result<void> BpfMapFillings::fill_keys(MadeBpfMap &map, std::uint64_t amount) {
  std::vector<std::byte> value(stored_value_bytes(map), std::byte{0});
  value[0] = std::byte{1}; // of a devmap: the loopback interface; of a cpumap: room for one packet
  for (std::uint32_t key = 0; key < amount; ++key)
    if (bpf_map_update_elem(map.fd.get(), &key, value.data(), BPF_ANY) < 0)
      return std::unexpected(Error::from_errno(fmt::format("adding key {}", key)));
  if (map.type.ends_with("array"))
    map.set_values = amount;
  else
    map.entries = map.type.starts_with("lru_") ? count_keys(map) : amount;
  return {};
}

Result<void> BpfMapFillings::fill_prefixes(MadeBpfMap &map, std::uint64_t amount) {
  const std::uint64_t value = 1;
  for (std::uint32_t i = 0; i < amount; ++i) {
    const std::array<std::uint32_t, 2> key = {32, htonl(0x0a000000 + i)};
    if (bpf_map_update_elem(map.fd.get(), key.data(), &value, BPF_ANY) < 0)
      return std::unexpected(Error::from_errno(fmt::format("adding prefix {}", i)));
  }
  map.entries = amount;
  return {};
}

Result<void> BpfMapFillings::push_values(MadeBpfMap &map, std::uint64_t amount) {
  for (std::uint64_t value = 0; value < amount; ++value)
    if (bpf_map_update_elem(map.fd.get(), nullptr, &value, BPF_ANY) < 0)
      return std::unexpected(Error::from_errno(fmt::format("pushing value {}", value)));
  if (map.type != "bloom_filter") // says of no value that it is in
    map.entries = amount;
  return {};
}

Result<Fd> BpfMapFillings::descriptor_for(const MadeBpfMap &map) {
  if (map.type == "prog_array") {
    const std::array steps = {filling_step(kMoveNumber, BPF_REG_0, 0, 0, 0),
                              filling_step(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)};
    return load_filling(BPF_PROG_TYPE_SOCKET_FILTER, steps);
  }
  Fd made;
  if (map.type == "perf_event_array") {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_BPF_OUTPUT;
    made = Fd{static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC))};
  } else if (map.type == "cgroup_array") {
    made = open_cgroup();
  } else if (map.type == "xskmap") {
    made = Fd{::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)};
  } else {
    made = Fd{bpf_map_create(BPF_MAP_TYPE_ARRAY, "ms_inner", 4, 4, 1, nullptr)};
  }
  if (!made)
    return std::unexpected(Error::from_errno("making what it should hold"));
  return made;
}

Result<void> BpfMapFillings::fill_descriptors(MadeBpfMap &map, std::uint64_t amount) {
  for (std::uint32_t key = 0; key < amount; ++key) {
    held_.push_back(TRY(descriptor_for(map)));
    const int descriptor = held_.back().get();
    if (bpf_map_update_elem(map.fd.get(), &key, &descriptor, BPF_ANY) < 0)
      return std::unexpected(Error::from_errno(fmt::format("adding descriptor {}", key)));
  }
  map.entries = amount;
  return {};
}

Result<int> BpfMapFillings::connected_socket() {
  const Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto *name = reinterpret_cast<sockaddr *>(&address);
  Fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::bind(listener.get(), name, length) < 0 || ::listen(listener.get(), 1) < 0 ||
      ::getsockname(listener.get(), name, &length) < 0 || ::connect(client.get(), name, length) < 0)
    return std::unexpected(Error::from_errno("connecting over loopback"));
  held_.emplace_back(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  held_.push_back(std::move(client));
  return held_.back().get();
}

Result<void> BpfMapFillings::fill_sockets(MadeBpfMap &map, std::uint64_t amount) {
  std::uint16_t port = 0;
  for (std::uint32_t key = 0; key < amount; ++key) {
    std::uint64_t socket = 0;
    if (map.type == "reuseport_sockarray") { // each a member of a group, and only in one map
      held_.emplace_back(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = port;
      socklen_t length = sizeof(address);
      auto *name = reinterpret_cast<sockaddr *>(&address);
      const int on = 1, fd = held_.back().get();
      if (::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
          ::bind(fd, name, length) < 0 || ::getsockname(fd, name, &length) < 0)
        return std::unexpected(Error::from_errno("binding a socket to loopback"));
      port = address.sin_port;
      socket = static_cast<std::uint64_t>(fd);
    } else {
      socket = static_cast<std::uint64_t>(TRY(connected_socket()));
    }
    if (bpf_map_update_elem(map.fd.get(), &key, &socket, BPF_ANY) < 0)
      return std::unexpected(Error::from_errno(fmt::format("adding socket {}", key)));
  }
  map.entries = amount;
  return {};
}

// The kernel's stack of a test run, with more and more frames skipped: each is another trace.
Result<void> BpfMapFillings::fill_stacks(MadeBpfMap &map, std::uint64_t amount) {
  const std::array steps = {
      filling_step(BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_3, BPF_REG_1, 0, 0), // flags: the argument
      filling_step(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, map.fd.get()),
      filling_step(0, 0, 0, 0, 0),
      filling_step(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_stackid),
      filling_step(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  const Fd program = TRY(load_filling(BPF_PROG_TYPE_RAW_TRACEPOINT, steps));
  std::vector<std::uint32_t> ids;
  for (std::uint64_t skip = 0; skip < amount; ++skip) {
    const std::uint32_t id = TRY(run_filling(program.get(), skip));
    if (id < map.max_entries && std::ranges::find(ids, id) == ids.end())
      ids.push_back(id);
  }
  map.entries = ids.size();
  return {};
}

// Records of 24 bytes, and 8 of header each.
Result<void> BpfMapFillings::fill_ring(MadeBpfMap &map, std::uint64_t bytes) {
  const std::array steps = {
      filling_step(BPF_ST | BPF_DW | BPF_MEM, BPF_REG_10, 0, -8, 1),
      filling_step(BPF_ST | BPF_DW | BPF_MEM, BPF_REG_10, 0, -16, 2),
      filling_step(BPF_ST | BPF_DW | BPF_MEM, BPF_REG_10, 0, -24, 3),
      filling_step(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map.fd.get()),
      filling_step(0, 0, 0, 0, 0),
      filling_step(kMoveRegister, BPF_REG_2, BPF_REG_10, 0, 0),
      filling_step(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -24),
      filling_step(kMoveNumber, BPF_REG_3, 0, 0, 24),
      filling_step(kMoveNumber, BPF_REG_4, 0, 0, 0),
      filling_step(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
      filling_step(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  const Fd program = TRY(load_filling(BPF_PROG_TYPE_RAW_TRACEPOINT, steps));
  map.used_bytes = 0;
  // One record's room stays free in any case: a ring that is full refuses before its last byte.
  for (std::uint64_t used = 0; used + 32 <= bytes; used += 32)
    if (TRY(run_filling(program.get(), 0)) == 0)
      *map.used_bytes += 32;
  return {};
}

Result<void> BpfMapFillings::fill_user_ring(MadeBpfMap &map, std::uint64_t bytes) {
  LIBBPF_OPTS(user_ring_buffer_opts, options);
  const Handle<user_ring_buffer, user_ring_buffer__free> ring{
      user_ring_buffer__new(map.fd.get(), &options)};
  if (!ring)
    return std::unexpected(Error::from_errno("mapping it"));
  map.used_bytes = 0;
  while (*map.used_bytes + 32 <= bytes) {
    void *record = user_ring_buffer__reserve(ring.get(), 24);
    if (record == nullptr)
      break;
    std::memset(record, 1, 24);
    user_ring_buffer__submit(ring.get(), record);
    *map.used_bytes += 32;
  }
  return {};
}

Result<void> BpfMapFillings::fill_storage(MadeBpfMap &map) {
  Fd of;
  if (map.type == "sk_storage")
    of = Fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  else if (map.type == "task_storage")
    of = Fd{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
  else if (map.type == "inode_storage")
    of = Fd{::memfd_create("ms_inode", MFD_CLOEXEC)};
  else
    of = open_cgroup();
  const int key = of.get();
  const std::uint64_t value = 1;
  // Refused where nothing in the kernel could ever read it: it is an empty map then.
  const bool is_added = bpf_map_update_elem(map.fd.get(), &key, &value, BPF_ANY) == 0;
  map.entries = is_added ? 1 : 0;
  held_.push_back(std::move(of));
  return {};
}

Result<void> BpfMapFillings::touch_pages(MadeBpfMap &map, std::uint64_t amount) {
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = page * map.max_entries;
  void *start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd.get(), 0);
  if (start == MAP_FAILED)
    return std::unexpected(Error::from_errno("mapping it"));
  for (std::size_t i = 0; i < amount; ++i)
    static_cast<volatile char *>(start)[i * page] = 1;
  ::munmap(start, bytes); // what was touched stays
  return {};
}

} // namespace mapscope::testing
