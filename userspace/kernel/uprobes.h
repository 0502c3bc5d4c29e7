// Places uprobes: all sites of one program and one file in a single link where the kernel
// can (6.6 on), one link each where it cannot.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "base/handle.h"

struct bpf_link;
struct bpf_program;

namespace mapscope {

void destroy_link(bpf_link *link) noexcept;
using BpfLink = Handle<bpf_link, destroy_link>;

// BPF_TRACE_UPROBE_MULTI (include/uapi/linux/bpf.h, Linux 6.6), which neither libbpf 1.1 nor the
// headers of Linux 6.1 know: how programs for such links are loaded.
inline constexpr std::uint32_t kTraceUprobeMulti = 48;

struct UprobeSite {
  FileOffset offset;
  std::uint64_t cookie = 0;
};

// Probes that stay until this dies. Closing a single link takes the kernel 0.1 s, a link of
// many sites 25 ms, however many they are.
class UprobeLinks {
public:
  UprobeLinks() = default;
  explicit UprobeLinks(Fd multi) : multi_(std::move(multi)) {}
  explicit UprobeLinks(std::vector<BpfLink> singles) : singles_(std::move(singles)) {}

private:
  Fd multi_;
  std::vector<BpfLink> singles_;
};

// Takes all of them off at once. One after the other would take the kernel as many times what one
// does, since it waits each time until no CPU runs a probe any more.
void take_off_together(std::vector<UprobeLinks> links);

// Whether the kernel takes links of many sites; found by trying, once.
bool has_uprobe_multi();

// `path` may be /proc/self/fd/N. `pid` is in this process's namespace. Sites are sorted and
// freed of duplicates here, since the kernel would run the program twice. Errors are the
// kernel's: denied, gone (no such process), not_found (no such file).
Result<UprobeLinks> attach_uprobes(const bpf_program *program, const std::string &path, pid_t pid,
                                   std::vector<UprobeSite> sites);

} // namespace mapscope
