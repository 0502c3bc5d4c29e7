// Ids and descriptors of programs; see map_programs.h.
#include "kernel/bpf_maps/map_programs.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/handle.h"
#include "base/printable.h"
#include "kernel/bpf_maps/map_names.h"

namespace mapscope {
namespace {

constexpr std::size_t kProgramsMax = 100'000;

// MAX_USED_MAPS of include/linux/bpf_verifier.h, Linux 6.18: no program uses more.
constexpr std::size_t kProgramMapsMax = 64;

Result<LoadedProgram> read_program(std::uint32_t id) {
  const Fd file{bpf_prog_get_fd_by_id(id)};
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening program {}", id)));
  std::vector<std::uint32_t> maps(kProgramMapsMax);
  bpf_prog_info info{};
  for (int attempt = 0; attempt < 2; ++attempt) {
    info = {};
    info.nr_map_ids = static_cast<std::uint32_t>(maps.size());
    info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(file.get(), &info, &size) != 0)
      return std::unexpected(Error::from_errno(fmt::format("asking about program {}", id)));
    if (info.nr_map_ids <= maps.size())
      break;
    maps.resize(info.nr_map_ids); // a kernel that allows more
  }
  maps.resize(std::min<std::size_t>(info.nr_map_ids, maps.size()));
  const std::string_view name{info.name, ::strnlen(info.name, sizeof(info.name))};
  return LoadedProgram{
      .program = {.id = id, .name = printable(name), .type = bpf_program_type_name(info.type)},
      .loaded_boot_ns = info.load_time,
      .map_ids = std::move(maps)};
}

} // namespace

Result<LoadedPrograms> find_loaded_programs() {
  LoadedPrograms answer;
  std::uint32_t id = 0;
  while (bpf_prog_get_next_id(id, &id) == 0) {
    if (answer.programs.size() + answer.unreadable >= kProgramsMax)
      return fail(Errc::system, "the kernel has more than {} programs", kProgramsMax);
    auto program = read_program(id);
    if (program)
      answer.programs.push_back(*std::move(program));
    else if (program.error().code() != Errc::not_found) // it went away in between
      ++answer.unreadable;
  }
  if (errno != ENOENT)
    return std::unexpected(Error::from_errno("listing the BPF programs"));
  return answer;
}

} // namespace mapscope
