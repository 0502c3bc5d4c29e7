// bpf(2) on programs; see program_calls_reader.h.
#include "kernel/bpf_maps/program_calls_reader.h"

#include <cstring>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "base/handle.h"

namespace mapscope {

namespace {

constexpr std::size_t kProgramsMax = 1U << 16;
constexpr std::uint32_t kCodeBytesMax = 64U << 20, kMapIdsMax = 4096;
constexpr std::size_t kKeyBytesMax = 512; // the kernel's limit, MAX_BPF_STACK

Result<Fd> open_program(std::uint32_t id) {
  Fd program{bpf_prog_get_fd_by_id(id)};
  if (!program)
    return std::unexpected(Error::from_errno(fmt::format("opening program {}", id)));
  return program;
}

Result<void> get_info(const Fd &program, std::uint32_t id, bpf_prog_info &info) {
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0)
    return std::unexpected(Error::from_errno(fmt::format("reading about program {}", id)));
  return {};
}

} // namespace

Result<std::vector<std::uint32_t>> all_program_ids() {
  std::vector<std::uint32_t> ids;
  __u32 id = 0;
  while (ids.size() < kProgramsMax && bpf_prog_get_next_id(id, &id) == 0)
    ids.push_back(id);
  if (ids.size() == kProgramsMax)
    return fail(Errc::unsupported, "more than {} BPF programs", kProgramsMax);
  if (errno != ENOENT)
    return std::unexpected(Error::from_errno("listing BPF programs"));
  return ids;
}

Result<ProgramGlance> glance_at_program(std::uint32_t id) {
  const Fd program = TRY(open_program(id));
  bpf_prog_info info{};
  TRY(get_info(program, id, info));
  ProgramGlance glance{.identity = {.id = id, .loaded_ns = info.load_time},
                       .type = info.type,
                       .btf_id = info.btf_id,
                       .replaces_in_btf =
                           info.type == BPF_PROG_TYPE_EXT ? info.attach_btf_obj_id : 0,
                       .is_offloaded = info.ifindex != 0,
                       .runs = info.run_cnt,
                       .read_at_ns = now_ns()};
  glance.name.assign(info.name, ::strnlen(info.name, sizeof(info.name)));
  return glance;
}

Result<ProgramCode> read_program_code(std::uint32_t id) {
  const Fd program = TRY(open_program(id));
  bpf_prog_info sizes{};
  TRY(get_info(program, id, sizes));
  if (sizes.xlated_prog_len == 0)
    return fail(Errc::denied,
                "program {} does not show its code: it wants CAP_BPF and "
                "CAP_PERFMON, and CAP_SYSLOG where its constants are blinded",
                id);
  if (sizes.xlated_prog_len > kCodeBytesMax || sizes.nr_map_ids > kMapIdsMax)
    return fail(Errc::unsupported, "program {} has {} bytes of code and {} maps", id,
                sizes.xlated_prog_len, sizes.nr_map_ids);
  ProgramCode code;
  code.instructions.resize(sizes.xlated_prog_len);
  code.map_ids.resize(sizes.nr_map_ids);
  bpf_prog_info info{};
  info.xlated_prog_len = sizes.xlated_prog_len;
  info.xlated_prog_insns = reinterpret_cast<std::uintptr_t>(code.instructions.data());
  info.nr_map_ids = sizes.nr_map_ids;
  info.map_ids = reinterpret_cast<std::uintptr_t>(code.map_ids.data());
  TRY(get_info(program, id, info));
  if (info.xlated_prog_insns == 0 || info.xlated_prog_len != code.instructions.size())
    return fail(Errc::denied, "program {} does not show its code: reading it wants CAP_SYSLOG", id);
  if (info.nr_map_ids != code.map_ids.size()) // bound in between
    return fail(Errc::system, "program {} got another map while it was read", id);
  return code;
}

namespace {

struct OpenedHolder {
  Fd map;
  bpf_map_info info{};
};

Result<OpenedHolder> open_holder(std::uint32_t map_id) {
  OpenedHolder opened;
  opened.map = Fd{bpf_map_get_fd_by_id(map_id)};
  __u32 size = sizeof(opened.info);
  if (!opened.map || bpf_obj_get_info_by_fd(opened.map.get(), &opened.info, &size) != 0)
    return std::unexpected(Error::from_errno(fmt::format("opening map {}", map_id)));
  return opened;
}

} // namespace

Result<HolderKind> holder_kind(std::uint32_t map_id) {
  const auto opened = TRY(open_holder(map_id));
  switch (opened.info.type) {
  case BPF_MAP_TYPE_PROG_ARRAY:
    return HolderKind::of_programs;
  case BPF_MAP_TYPE_ARRAY_OF_MAPS:
  case BPF_MAP_TYPE_HASH_OF_MAPS:
    return HolderKind::of_maps;
  default:
    return HolderKind::neither;
  }
}

HeldIds ids_held_by(std::uint32_t map_id, std::uint64_t &entries_left) {
  HeldIds held;
  const auto opened = open_holder(map_id);
  if (!opened || opened->info.key_size > kKeyBytesMax || opened->info.value_size != 4) {
    held.is_complete = false;
    return held;
  }
  std::array<std::byte, kKeyBytesMax> key{}, next{};
  const void *before = nullptr;
  // A key that is deleted meanwhile starts the walk again: hence no more steps than entries, twice.
  for (std::uint64_t steps = 2 * std::uint64_t{opened->info.max_entries};
       entries_left > 0 && steps > 0; --steps, --entries_left) {
    if (bpf_map_get_next_key(opened->map.get(), before, next.data()) != 0) {
      held.is_complete = errno == ENOENT;
      return held;
    }
    key = next;
    before = key.data();
    std::uint32_t id = 0;
    if (bpf_map_lookup_elem(opened->map.get(), key.data(), &id) == 0)
      held.ids.push_back(id);
  }
  held.is_complete = false;
  return held;
}

} // namespace mapscope
