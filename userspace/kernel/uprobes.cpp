// Uprobe links; see uprobes.h.
#include "kernel/uprobes.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <thread>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace mapscope {
namespace {

// BPF_LINK_CREATE with the arguments that belong to kTraceUprobeMulti.
constexpr int kLinkCreate = 28;

struct UprobeMultiAttr {
  std::uint32_t prog_fd = 0;
  std::uint32_t target_fd = 0;
  std::uint32_t attach_type = kTraceUprobeMulti;
  std::uint32_t flags = 0;
  std::uint64_t path = 0;
  std::uint64_t offsets = 0;
  std::uint64_t ref_ctr_offsets = 0;
  std::uint64_t cookies = 0;
  std::uint32_t count = 0;
  std::uint32_t multi_flags = 0;
  std::uint32_t pid = 0;
  std::uint32_t padding = 0;
};
static_assert(sizeof(UprobeMultiAttr) == 64);

Result<Fd> attach_multi(int program_fd, const std::string &path, pid_t pid,
                        std::span<const UprobeSite> sites) {
  std::vector<std::uint64_t> offsets, cookies;
  for (const UprobeSite &site : sites) {
    offsets.push_back(site.offset.value);
    cookies.push_back(site.cookie);
  }
  UprobeMultiAttr attr;
  attr.prog_fd = static_cast<std::uint32_t>(program_fd);
  attr.path = reinterpret_cast<std::uint64_t>(path.c_str());
  attr.offsets = reinterpret_cast<std::uint64_t>(offsets.data());
  attr.cookies = reinterpret_cast<std::uint64_t>(cookies.data());
  attr.count = static_cast<std::uint32_t>(sites.size());
  attr.pid = static_cast<std::uint32_t>(pid);
  long fd = syscall(SYS_bpf, kLinkCreate, &attr, sizeof(attr));
  if (fd < 0)
    return std::unexpected(Error::from_errno(
        fmt::format("placing {} probes in {} of process {}", sites.size(), path, pid)));
  return Fd{static_cast<int>(fd)};
}

Result<std::vector<BpfLink>> attach_singles(const bpf_program *program, const std::string &path,
                                            pid_t pid, std::span<const UprobeSite> sites) {
  std::vector<BpfLink> links;
  for (const UprobeSite &site : sites) {
    LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = site.cookie);
    BpfLink link{
        bpf_program__attach_uprobe_opts(program, pid, path.c_str(), site.offset.value, &options)};
    if (!link)
      return std::unexpected(Error::from_errno(fmt::format(
          "placing a probe at {:#x} in {} of process {}", site.offset.value, path, pid)));
    links.push_back(std::move(link));
  }
  return links;
}

bool try_uprobe_multi() {
  // r0 = 0; exit
  const bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, options,
              .expected_attach_type = static_cast<bpf_attach_type>(kTraceUprobeMulti));
  Fd loaded{bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe_multi", "GPL", program, std::size(program),
                          &options)};
  if (!loaded)
    return false;
  // An impossible pid: a kernel that knows the link says ESRCH, another one EINVAL.
  UprobeSite site{{0}, 0};
  std::uint64_t offset = site.offset.value;
  const char *path = "/proc/self/exe";
  UprobeMultiAttr attr;
  attr.prog_fd = static_cast<std::uint32_t>(loaded.get());
  attr.path = reinterpret_cast<std::uint64_t>(path);
  attr.offsets = reinterpret_cast<std::uint64_t>(&offset);
  attr.count = 1;
  attr.pid = 0x7fffffff;
  Fd link{static_cast<int>(syscall(SYS_bpf, kLinkCreate, &attr, sizeof(attr)))};
  return link || errno == ESRCH;
}

} // namespace

void destroy_link(bpf_link *link) noexcept { bpf_link__destroy(link); }

bool has_uprobe_multi() {
  static const bool has = try_uprobe_multi();
  return has;
}

void take_off_together(std::vector<UprobeLinks> links) {
  // What waits are threads of ours, and they do nothing else.
  constexpr std::size_t kThreadsMax = 32;
  std::vector<std::vector<UprobeLinks>> parts(std::min(links.size(), kThreadsMax));
  for (std::size_t i = 0; i < links.size(); ++i)
    parts[i % parts.size()].push_back(std::move(links[i]));
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < parts.size(); ++i)
    try {
      threads.emplace_back([part = std::move(parts[i])]() mutable { part.clear(); });
    } catch (const std::system_error &) {
      // No more threads: then the part has died here already.
    }
  if (!parts.empty())
    parts.front().clear(); // while the others die
}

Result<UprobeLinks> attach_uprobes(const bpf_program *program, const std::string &path, pid_t pid,
                                   std::vector<UprobeSite> sites) {
  auto by_offset = [](const UprobeSite &left, const UprobeSite &right) {
    return left.offset < right.offset;
  };
  auto same_offset = [](const UprobeSite &left, const UprobeSite &right) {
    return left.offset == right.offset;
  };
  std::ranges::sort(sites, by_offset);
  auto duplicates = std::ranges::unique(sites, same_offset);
  sites.erase(duplicates.begin(), duplicates.end());
  if (has_uprobe_multi())
    return UprobeLinks{TRY(attach_multi(bpf_program__fd(program), path, pid, sites))};
  return UprobeLinks{TRY(attach_singles(program, path, pid, sites))};
}

} // namespace mapscope
