// What the tests of uprobe programs share: a child that runs fake Go code on a goroutine made by
// hand, and probes in that code.
#pragma once

#include "support/fake_go_code.h"
#include "support/fake_goroutine.h"
#include "support/own_image.h"
#include "support/traced_child.h"

namespace mapscope::testing {

inline constexpr std::uint64_t kGoroutine = 4711;

inline std::uint64_t address_of(const char &label) {
  return reinterpret_cast<std::uint64_t>(&label);
}

// Link-time, as targets are told.
inline pc_range range_of(const char &start, const char &end) {
  OwnAddress own = own_address(&start);
  return {address_of(start) - own.bias.value, address_of(end) - address_of(start)};
}

inline target fake_target() {
  target settings = fake_layout();
  settings.load_bias = own_address(&fake_text_start).bias.value;
  settings.text = range_of(fake_text_start, fake_text_end);
  settings.runtime = range_of(fake_runtime_start, fake_runtime_end);
  settings.map_ranges[0] = range_of(fake_map_function, fake_map_function_end);
  settings.map_range_count = 1;
  settings.windowed[0] = settings.map_ranges[0];
  settings.windowed_count = 1;
  return settings;
}

// Runs the fake user code on a goroutine whose stack is around this frame. noinline: frames of the
// caller lie above it.
[[gnu::noinline]] inline void run_on_goroutine(FakeRun run, std::uint64_t bytes_above = 4096) {
  std::uint64_t here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) & ~15ULL;
  FakeRuntime runtime{here - 65536, here + bytes_above, kGoroutine};
  run.g = reinterpret_cast<std::uint64_t>(runtime.g.data());
  fake_user_code(&run);
}

class GoroutineBpfTest : public BpfTest {
protected:
  void start(std::function<void()> body, target settings,
             mapscope_settings load_settings = {.emit_operations = 1,
                                                .use_windows = 1,
                                                .emit_memory_calls = 1},
             std::uint32_t ring_bytes = 4U << 20) {
    load(load_settings, ring_bytes);
    if (HasFatalFailure())
      return;
    child_.emplace(std::move(body));
    index_ = watch(child_->pid(), settings);
  }

  void probe(UprobeProgram program, const char &at, std::uint64_t cookie) {
    auto links = tracer_->attach(program, "/proc/self/exe", child_->pid(),
                                 {{own_address(&at).offset, cookie}});
    ASSERT_TRUE(links) << links.error().message();
    links_.push_back(std::move(*links));
  }
  void probe_map_function(map_operation operation) {
    probe(UprobeProgram::map_operation, fake_map_function, PROBE_COOKIE(operation, true, index_));
  }

  std::optional<HeldChild> child_;
  std::uint32_t index_ = 0;
  std::vector<UprobeLinks> links_;
};

} // namespace mapscope::testing
