// What /proc and the cgroup file system say of a process: names in it are those that a program gave
// itself. The first byte says which file the others are.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "attach/cgroup.h"
#include "attach/identity.h"
#include "attach/memory_limits.h"
#include "attach/process.h"
#include "base/printable.h"
#include "base/process_files.h"
#include "fuzz/fuzz_target.h"
#include "kernel/bpf_maps/call_sites_symbols.h"
#include "kernel/bpf_maps/descriptor_fields.h"
#include "kernel/bpf_maps/map_count_records.h"
#include "kernel/bpf_maps/mount_table.h"
#include "memory/mappings.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    std::abort();
}

void look_at_cgroup(const std::string &text) {
  const CgroupIdentity identity = cgroup_identity(text);
  for (const std::string &name :
       {identity.path, identity.container_id, identity.pod_uid, identity.unit})
    require(printable(name) == name);
}

// A directory in the place of /proc and of the cgroup file system.
struct ScratchRoot {
  ScratchRoot() {
    require(::mkdtemp(path.data()) != nullptr);
    std::filesystem::create_directories(path + "/1");
  }
  ScratchRoot(const ScratchRoot &) = delete;
  ScratchRoot &operator=(const ScratchRoot &) = delete;
  ~ScratchRoot() { std::filesystem::remove_all(path); }

  std::string path = std::filesystem::temp_directory_path() / "mapscope-fuzz-XXXXXX";
};

// As a cgroup of the second version, and then as its files.
void look_at_limits(const std::string &text) {
  static const ScratchRoot scratch;
  const std::string &root = scratch.path;
  const auto write = [&](const std::string &name, std::string_view content) {
    std::ofstream{root + "/" + name} << content;
  };
  const std::size_t split = std::min(text.find('\0'), text.size());
  const std::string cgroup = text.substr(0, split), rest = text.substr(split);
  write("1/cgroup", cgroup + "\n0::/\n");
  for (const char *name : {"memory.max", "memory.current", "memory.stat"})
    write(name, std::string_view{rest}.substr(std::min<std::size_t>(1, rest.size())));
  if (const auto limits = MemoryLimitReader{root, root}.read(1, {}))
    require(share_of_limit(*limits) >= 0);
}

void look_at_mounts(const std::string &text) {
  const auto table = parse_mount_table(text);
  require(table.size() <= 10'000);
  (void)is_behind_waiting_mount(table, "/sys/fs/bpf/one", true);
  require(bpf_mounts(table).size() <= table.size());
  require(bpf_mounts(table, table).empty());
}

void look_at_symbols(const std::string &text) {
  std::istringstream lines{text};
  if (const auto calls = KernelCalls::read(lines))
    for (const std::int32_t distance : {0, 1, -1, 0x1000})
      (void)calls->helper_of(distance);
}

void look_at_counts(const std::string &text) {
  MapCountTable table;
  const auto bytes = std::as_bytes(std::span{text});
  require(take_count_records(bytes, table) <= bytes.size());
  for (const auto &[id, record] : table) {
    BpfMapFacts map;
    map.id = id;
    map.type_number = record.type;
    map.max_entries = id;
    (void)fill_of_record(map, record);
    (void)rough_fill_of_record(map, record, 64);
  }
}

} // namespace

MAPSCOPE_FUZZ_TARGET(process_files_fuzz, data, size_bytes) {
  if (size_bytes == 0)
    return 0;
  const std::string text{reinterpret_cast<const char *>(data) + 1, size_bytes - 1};
  switch (data[0] % 9) {
  case 0:
    (void)parse_process_stat(text, 1);
    break;
  case 1:
    if (const auto mappings = parse_mappings(text))
      (void)load_bias_of(*mappings, "/srv/program", {});
    break;
  case 2:
    look_at_cgroup(text);
    break;
  case 3:
    (void)entry_in_auxv(std::as_bytes(std::span{text}));
    break;
  case 4: {
    const std::string line = command_line_text(text);
    require(printable(line) == line);
    break;
  }
  case 5:
    look_at_limits(text);
    break;
  case 6:
    look_at_mounts(text);
    break;
  case 7:
    look_at_symbols(text);
    break;
  default:
    (void)descriptor_field<std::uint32_t>(text, "map_id:\t");
    (void)descriptor_field<std::uint64_t>(text, "memlock:\t");
    look_at_counts(text);
  }
  return 0;
}
