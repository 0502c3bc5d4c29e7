// The functions of the Go runtime that print: runtime/print.go, write_err.go, mgc.go,
// mgcscavenge.go, proc.go and panic.go of Go 1.17 to 1.27.
#include "attribute/cause.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace mapscope {

namespace {

// Whether one of the functions, or of their closures and ".abi0" twins, is among the frames.
bool has_any(std::span<const SourceFrames> frames,
             std::initializer_list<std::string_view> functions) {
  auto is_one = [&](std::string_view name) {
    return std::ranges::any_of(functions, [&](std::string_view function) {
      return name.starts_with(function) &&
             (name.size() == function.size() || name[function.size()] == '.');
    });
  };
  return std::ranges::any_of(frames, [&](const SourceFrames &logical) {
    return std::ranges::any_of(logical,
                               [&](const SourceFrame &frame) { return is_one(frame.function); });
  });
}

bool prints(std::span<const SourceFrames> frames) {
  return has_any(frames, {"runtime.write", "runtime.write1", "runtime.gwrite", "runtime.writeErr",
                          "runtime.writeErrData", "runtime.writeErrStr", "runtime.printstring"});
}

} // namespace

std::optional<std::string> known_cause(std::span<const SourceFrames> above, bool from_c) {
  if (from_c)
    return "C code made this call, and the runtime calls C here to get memory: an interposed mmap "
           "(LD_PRELOAD, a sanitizer, a profiler), or libc itself";
  if (!prints(above))
    return std::nullopt;
  if (has_any(above, {"runtime.gcMarkTermination", "runtime.gcMarkDone"}))
    return "runtime diagnostics: the garbage collector prints its trace (GODEBUG=gctrace=1), and "
           "standard error is a file";
  if (has_any(above, {"runtime.printScavTrace"}))
    return "runtime diagnostics: the scavenger prints its trace (GODEBUG=scavtrace=1), and "
           "standard error is a file";
  if (has_any(above, {"runtime.schedtrace"}))
    return "runtime diagnostics: the scheduler prints its trace (GODEBUG=schedtrace), and standard "
           "error is a file";
  if (has_any(above, {"runtime.throw", "runtime.fatal", "runtime.fatalthrow", "runtime.fatalpanic",
                      "runtime.printpanics", "runtime.gopanic", "internal/runtime/maps.fatal"}))
    return "the runtime prints the message of a panic or a fatal error, and standard error is a "
           "file";
  return "runtime diagnostics: the runtime prints (GODEBUG may ask for it), and standard error is "
         "a file";
}

} // namespace mapscope
