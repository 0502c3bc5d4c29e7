// From planned probes to placed ones; see attacher.h.
#include "pipeline/attacher.h"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

UprobeProgram program_of(ProbeKind kind) {
  switch (kind) {
  case ProbeKind::map_operation:
    return UprobeProgram::map_operation;
  case ProbeKind::map_operation_return:
    return UprobeProgram::map_operation_return;
  case ProbeKind::heap_request:
    return UprobeProgram::heap_request;
  case ProbeKind::image_entry:
    return UprobeProgram::image_entry;
  case ProbeKind::map_misuse:
    return UprobeProgram::map_misuse;
  }
  __builtin_unreachable();
}

} // namespace

Result<> check_bytes(const Fd &executable, std::string_view function, FileOffset offset,
                     const std::vector<std::uint8_t> &expected) {
  std::vector<std::uint8_t> found(expected.size());
  ssize_t size =
      ::pread(executable.get(), found.data(), found.size(), static_cast<off_t>(offset.value));
  if (size != static_cast<ssize_t>(found.size()) || found != expected)
    return fail(Errc::malformed,
                "the file has changed: at {:#x}, where the probe for {} goes, stand other bytes "
                "than before; nothing was placed",
                offset.value, function);
  return {};
}

Result<std::vector<UprobeLinks>> place_probes(Tracer &tracer, const ProbePlan &plan,
                                              const Fd &executable, pid_t pid, std::uint32_t index,
                                              std::optional<FileOffset> await_entry) {
  std::array<std::vector<UprobeSite>, kProbeKindCount> sites;
  for (const PlannedProbe &probe : plan.probes) {
    TRY(check_bytes(executable, probe.function, probe.offset, probe.expected));
    sites[static_cast<std::size_t>(probe.kind)].push_back(
        {probe.offset, PROBE_COOKIE(probe.subject, probe.opens_window, index) |
                           PROBE_COOKIE_STACK_CHECK(probe.on_stack_check)});
  }
  if (await_entry)
    sites[static_cast<std::size_t>(ProbeKind::image_entry)].push_back(
        {*await_entry, PROBE_COOKIE(0, false, index)});

  std::string path = fmt::format("/proc/self/fd/{}", executable.get());
  std::vector<UprobeLinks> links;
  for (std::size_t kind = 0; kind < sites.size(); ++kind)
    if (!sites[kind].empty())
      links.push_back(TRY(tracer.attach(program_of(static_cast<ProbeKind>(kind)), path, pid,
                                        std::move(sites[kind]))));
  return links;
}

} // namespace mapscope
