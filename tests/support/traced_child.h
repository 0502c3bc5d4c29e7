// What the tests of BPF programs share: a child that is held at a pipe until the programs
// are attached, so that nothing depends on sleeping, and the events that it caused.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "attribute/system_calls.h"
#include "base/handle.h"
#include "decode/decode.h"
#include "kernel/tracer.h"

namespace mapscope::testing {

// Runs `body` in a forked child when release() is called.
class HeldChild {
public:
  explicit HeldChild(std::function<void()> body) {
    int ends[2];
    if (::pipe(ends) != 0)
      std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[1]);
      char byte = 0;
      if (::read(ends[0], &byte, 1) != 1)
        ::_exit(99);
      body();
      ::_exit(7);
    }
    ::close(ends[0]);
    go_ = Fd{ends[1]};
  }
  ~HeldChild() {
    go_.reset();
    if (!waited_)
      ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

  // Lets it run and waits for its end; its wait(2) status.
  int run() {
    char byte = 1;
    EXPECT_EQ(::write(go_.get(), &byte, 1), 1);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    waited_ = true;
    return status;
  }

private:
  pid_t pid_ = 0;
  Fd go_;
  bool waited_ = false;
};

// A loaded tracer, or a skipped test with the reason.
class BpfTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "loading BPF programs needs root";
  }

  void load(mapscope_settings settings = {}, std::uint32_t ring_bytes = 4U << 20) {
    TracerOptions options;
    options.settings = settings;
    options.ring_bytes = ring_bytes;
    options.call_table = call_table(this_machine());
    options.targets_max = 2;
    options.probes_returns = true;
    auto tracer = Tracer::load(options);
    ASSERT_TRUE(tracer) << tracer.error().message();
    tracer_.emplace(std::move(*tracer));
  }

  std::uint32_t watch(pid_t pid, target settings = {}) {
    settings.flags |= TARGET_WATCHED;
    auto index = tracer_->add_target(pid, settings);
    EXPECT_TRUE(index) << index.error().message();
    return index.value_or(0);
  }

  // Everything that came out so far, decoded.
  std::vector<Event> events() {
    std::vector<Event> found;
    tracer_->drain([&](std::span<const std::byte> record) {
      auto event = decode(record);
      ASSERT_TRUE(event) << event.error().message();
      found.push_back(*event);
    });
    return found;
  }

  template <typename Body> std::vector<Body> events_of() {
    std::vector<Body> found;
    for (const Event &event : events())
      if (const Body *body = std::get_if<Body>(&event.body))
        found.push_back(*body);
    return found;
  }

  std::optional<Tracer> tracer_;
};

} // namespace mapscope::testing
